/* A location service that was made for a test: ILocation as locationapi.h declares it. It finds the machine at the third
 * look. Where FARHAND_DENIED is set, it tells nobody. */
#define COBJMACROS
#include <initguid.h>
#include <windows.h>
#include <locationapi.h>
#include <stdio.h>
#include <stdlib.h>

static LONG alive, looks;

static ULONG WINAPI keep(IUnknown *this_) { (void)this_; return (ULONG)InterlockedIncrement(&alive); }
static ULONG WINAPI leave(IUnknown *this_) { (void)this_; return (ULONG)InterlockedDecrement(&alive); }

static HRESULT WINAPI query_report(ILatLongReport *this_, REFIID kind, void **out) {
    if (!IsEqualGUID(kind, &IID_ILatLongReport)) return E_NOINTERFACE;
    keep((IUnknown *)this_);
    *out = this_;
    return S_OK;
}
static HRESULT WINAPI moment(ILatLongReport *this_, SYSTEMTIME *out) { (void)this_; GetSystemTime(out); return S_OK; }
static HRESULT WINAPI latitude(ILatLongReport *this_, DOUBLE *out) { (void)this_; *out = 48.137; return S_OK; }
static HRESULT WINAPI longitude(ILatLongReport *this_, DOUBLE *out) { (void)this_; *out = 11.575; return S_OK; }
static HRESULT WINAPI radius(ILatLongReport *this_, DOUBLE *out) { (void)this_; *out = 85.0; return S_OK; }
static ILatLongReportVtbl report_methods = {
    .QueryInterface = query_report, .AddRef = (void *)keep, .Release = (void *)leave, .GetTimestamp = moment,
    .GetLatitude = latitude, .GetLongitude = longitude, .GetErrorRadius = radius,
};
static ILatLongReport report = {&report_methods};

static HRESULT WINAPI query_location(ILocation *this_, REFIID kind, void **out) {
    if (!IsEqualGUID(kind, &IID_ILocation) && !IsEqualGUID(kind, &IID_IUnknown)) return E_NOINTERFACE;
    keep((IUnknown *)this_);
    *out = this_;
    return S_OK;
}
static HRESULT WINAPI status(ILocation *this_, REFIID kind, LOCATION_REPORT_STATUS *out) {
    (void)this_;
    if (!IsEqualGUID(kind, &IID_ILatLongReport)) return E_INVALIDARG;
    *out = getenv("FARHAND_DENIED") ? REPORT_ACCESS_DENIED : ++looks < 3 ? REPORT_INITIALIZING : REPORT_RUNNING;
    return S_OK;
}
static HRESULT WINAPI get(ILocation *this_, REFIID kind, ILocationReport **out) {
    (void)this_;
    if (!IsEqualGUID(kind, &IID_ILatLongReport)) return E_INVALIDARG;
    if (looks < 3) return HRESULT_FROM_WIN32(ERROR_NO_DATA);
    keep((IUnknown *)&report);
    *out = (ILocationReport *)&report;
    return S_OK;
}
static ILocationVtbl location_methods = {
    .QueryInterface = query_location, .AddRef = (void *)keep, .Release = (void *)leave,
    .GetReport = get, .GetReportStatus = status,
};
static ILocation location = {&location_methods};

static HRESULT WINAPI query_factory(IClassFactory *this_, REFIID kind, void **out) {
    (void)kind;
    *out = this_;
    return S_OK;
}
static ULONG WINAPI forever(IClassFactory *this_) { (void)this_; return 1; }
static HRESULT WINAPI create(IClassFactory *this_, IUnknown *outer, REFIID kind, void **out) {
    (void)this_;
    return outer ? CLASS_E_NOAGGREGATION : query_location(&location, kind, out);
}
static HRESULT WINAPI lock(IClassFactory *this_, BOOL on) { (void)this_; (void)on; return S_OK; }
static IClassFactoryVtbl factory_methods = {query_factory, forever, forever, create, lock};
static IClassFactory factory = {&factory_methods};

HRESULT WINAPI DllGetClassObject(REFCLSID wanted, REFIID kind, void **out) {
    return IsEqualGUID(wanted, &CLSID_Location) ? query_factory(&factory, kind, out) : CLASS_E_CLASSNOTAVAILABLE;
}

/* Whoever forgot to give something back is told so at the end. */
BOOL WINAPI DllMain(HINSTANCE self, DWORD why, LPVOID unused) {
    (void)self;
    (void)unused;
    if (why == DLL_PROCESS_DETACH && alive) {
        printf("left behind: %ld\n", alive);
        fflush(stdout);
    }
    return TRUE;
}
