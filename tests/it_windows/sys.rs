//! What the tests ask of Windows.
#![allow(unsafe_code)]

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Console::{CTRL_C_EVENT, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE, WaitForSingleObject};

/// One process. While this is open, its pid is given to nobody else.
pub struct Process(OwnedHandle);

impl Process {
    /// The process that has this pid now.
    pub fn open(pid: u32) -> Option<Self> {
        // SAFETY: what is returned, if anything, is ours.
        unsafe {
            let handle = OpenProcess(PROCESS_SYNCHRONIZE, 0, pid);
            (!handle.is_null()).then(|| Self(OwnedHandle::from_raw_handle(handle)))
        }
    }

    pub fn has_ended(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), 0) == WAIT_OBJECT_0 }
    }
}

/// Presses Ctrl-C for everybody on this process's console but this process.
pub fn press_ctrl_c() -> bool {
    // SAFETY: plain calls.
    unsafe { SetConsoleCtrlHandler(None, 1) != 0 && GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) != 0 }
}

/// Hears of Ctrl-C again, and so does whatever is started from now on: that it is ignored is inherited.
pub fn hear_ctrl_c() {
    // SAFETY: plain call.
    unsafe { SetConsoleCtrlHandler(None, 0) };
}
