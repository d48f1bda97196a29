/* A WLAN service that was made for a test: it answers in the structures of wlanapi.h, as this compiler lays them out.
 * One interface, whose radio is off by software; two networks, one of which the machine is in. Where FARHAND_DENIED is
 * set, it tells the networks to nobody. */
#include <windows.h>
#include <wlanapi.h>
#include <stdio.h>
#include <stdlib.h>

static const GUID radio = {0x03020100, 0x0504, 0x0706, {8, 9, 10, 11, 12, 13, 14, 15}};
static const UCHAR own[6] = {0x3c, 0x37, 0x86, 0x6f, 0x1a, 0x2b}, other[6] = {0xe8, 0xdf, 0x70, 0x11, 0x22, 0x33};
static const UCHAR german[8] = {7, 6, 'D', 'E', ' ', 1, 13, 20}, nameless[2] = {0, 0};
static const HANDLE only = (HANDLE)0x123456789abcdef0;
static int given_out;

static BOOL is_ours(HANDLE handle, const GUID *interface_) {
    return handle == only && interface_ && !memcmp(interface_, &radio, sizeof radio);
}

static void *made(SIZE_T size) {
    given_out++;
    return calloc(1, size);
}

DWORD WINAPI WlanOpenHandle(DWORD version, PVOID reserved, PDWORD negotiated, PHANDLE handle) {
    if (version != 2 || reserved || !negotiated) return ERROR_INVALID_PARAMETER;
    *negotiated = 2;
    *handle = only;
    return ERROR_SUCCESS;
}

/* Whoever forgot to give something back cannot take leave. */
DWORD WINAPI WlanCloseHandle(HANDLE handle, PVOID reserved) {
    if (handle != only || reserved || given_out) {
        printf("left behind: %d\n", given_out);
        ExitProcess(3);
    }
    return ERROR_SUCCESS;
}

VOID WINAPI WlanFreeMemory(PVOID memory) {
    given_out--;
    free(memory);
}

DWORD WINAPI WlanEnumInterfaces(HANDLE handle, PVOID reserved, PWLAN_INTERFACE_INFO_LIST *list) {
    if (handle != only || reserved) return ERROR_INVALID_PARAMETER;
    *list = made(sizeof **list + sizeof(WLAN_INTERFACE_INFO));
    (*list)->dwNumberOfItems = 1;
    (*list)->InterfaceInfo[0].InterfaceGuid = radio;
    return ERROR_SUCCESS;
}

static void fill(PWLAN_BSS_LIST list, int index, const UCHAR *address, LONG rssi, ULONG khz, const UCHAR *ie, ULONG size) {
    WLAN_BSS_ENTRY *entry = &list->wlanBssEntries[index];
    UCHAR *behind = (UCHAR *)list + list->dwTotalSize;
    memcpy(entry->dot11Bssid, address, 6);
    memcpy(behind, ie, size);
    entry->lRssi = rssi;
    entry->ulChCenterFrequency = khz;
    entry->ulIeOffset = (ULONG)(behind - (UCHAR *)entry);
    entry->ulIeSize = size;
    list->dwNumberOfItems++;
    list->dwTotalSize += size;
}

DWORD WINAPI WlanGetNetworkBssList(HANDLE handle, const GUID *interface_, const PDOT11_SSID name, DOT11_BSS_TYPE kind,
                                   WINBOOL secure, PVOID reserved, PWLAN_BSS_LIST *list) {
    (void)secure;
    if (getenv("FARHAND_DENIED")) return ERROR_ACCESS_DENIED;
    if (!is_ours(handle, interface_) || name || kind != dot11_BSS_type_any || reserved) return ERROR_INVALID_PARAMETER;
    *list = made(4096);
    (*list)->dwTotalSize = sizeof **list + sizeof(WLAN_BSS_ENTRY);
    fill(*list, 0, own, -45, 5180000, german, sizeof german);
    fill(*list, 1, other, -71, 2437000, nameless, sizeof nameless);
    return ERROR_SUCCESS;
}

DWORD WINAPI WlanQueryInterface(HANDLE handle, const GUID *interface_, WLAN_INTF_OPCODE what, PVOID reserved,
                                PDWORD size, PVOID *data, PWLAN_OPCODE_VALUE_TYPE kind) {
    if (!is_ours(handle, interface_) || reserved || !size || kind) return ERROR_INVALID_PARAMETER;
    if (what == wlan_intf_opcode_current_connection) {
        WLAN_CONNECTION_ATTRIBUTES *joined = *data = made(*size = sizeof *joined);
        memcpy(joined->wlanAssociationAttributes.dot11Bssid, own, 6);
        return ERROR_SUCCESS;
    }
    if (what == wlan_intf_opcode_radio_state) {
        WLAN_RADIO_STATE *state = *data = made(*size = sizeof *state);
        state->dwNumberOfPhys = 2;
        for (int index = 0; index < 2; index++) {
            state->PhyRadioState[index].dwPhyIndex = index;
            state->PhyRadioState[index].dot11SoftwareRadioState = dot11_radio_state_off;
            state->PhyRadioState[index].dot11HardwareRadioState = dot11_radio_state_on;
        }
        return ERROR_SUCCESS;
    }
    return ERROR_NOT_SUPPORTED;
}
