@rem The agent's commands, as the service runs them: nothing is imported out of the current folder.
@"%~dp0python.exe" -I -X utf8 -m agent %*
