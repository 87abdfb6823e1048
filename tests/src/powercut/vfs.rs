//! What SQLite calls: its own `unix` VFS, with [`super::Disk`] told of every change and asked whether the power is still on.
//!
//! Files of folders that are no [`Disk`] are left to `unix` entirely. Locks and the shared memory of the log stay real, so that
//! several connections work as ever; memory-mapped files are not offered, or writes would pass unseen.

// A table of C functions is the only way in. What each pointer is stands where it is used.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Once;

use rusqlite::ffi::*;

use super::{Disk, Trouble, VFS};

/// What SQLite allocates for an open file: this, and behind it the file as `unix` knows it.
#[repr(C)]
struct Shim {
    base: sqlite3_file,
    open: *mut Open,
}

struct Open {
    disk: Disk,
    content: usize,
    /// A journal or a log: `unix` syncs the folder with the first sync after it was made.
    folder_too: bool,
}

/// The VFS below, found once.
fn unix() -> *mut sqlite3_vfs {
    // SAFETY: a static name; SQLite registers `unix` for ever when it is initialised, which finding does.
    unsafe { sqlite3_vfs_find(c"unix".as_ptr()) }
}

pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let name = std::ffi::CString::new(VFS).unwrap().into_raw();
        // SAFETY: `unix()` points to a table that lives as long as the process; the copy and its name are leaked, so they do
        // too. The functions that are kept take no state from the table they are reached through, except for `mxPathname`.
        unsafe {
            let mut mine = *unix();
            mine.zName = name;
            mine.pNext = std::ptr::null_mut();
            mine.szOsFile += size_of::<Shim>() as c_int;
            mine.xOpen = Some(open);
            mine.xDelete = Some(delete);
            assert_eq!(sqlite3_vfs_register(Box::into_raw(Box::new(mine)), 0), SQLITE_OK);
        }
    });
}

/// SAFETY: `name` is null or a C string, as SQLite passes it.
unsafe fn disk_of(name: *const c_char) -> Option<(Disk, String)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, see above.
    let path = unsafe { CStr::from_ptr(name) }.to_str().ok()?;
    Disk::of(Path::new(path))
}

unsafe extern "C" fn open(_: *mut sqlite3_vfs, name: *const c_char, file: *mut sqlite3_file, flags: c_int, out: *mut c_int) -> c_int {
    let below = unix();
    // SAFETY: SQLite gives us `szOsFile` bytes at `file`, which has room for either layout; the rest is passed on as it came.
    unsafe {
        let Some((disk, name_here)) = disk_of(name) else { return call_open(below, name, file, flags, out) };
        (*file).pMethods = std::ptr::null();
        if disk.is_dark() {
            return SQLITE_CANTOPEN;
        }
        let made = !Path::new(CStr::from_ptr(name).to_str().unwrap_or_default()).exists();
        let result = call_open(below, name, real(file), flags, out);
        if result != SQLITE_OK {
            return result;
        }
        let Ok(content) = disk.opened(&name_here, made) else {
            if let Some(close) = methods(file).xClose {
                close(real(file));
            }
            return SQLITE_CANTOPEN;
        };
        let folder_too = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0;
        (*file.cast::<Shim>()).open = Box::into_raw(Box::new(Open { disk, content, folder_too }));
        (*file).pMethods = &METHODS;
        SQLITE_OK
    }
}

unsafe fn call_open(below: *mut sqlite3_vfs, name: *const c_char, file: *mut sqlite3_file, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: the caller passes on what SQLite passed.
    unsafe { (*below).xOpen.map_or(SQLITE_CANTOPEN, |open| open(below, name, file, flags, out)) }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    let below = unix();
    // SAFETY: `name` is a C string.
    unsafe {
        if let Some((disk, name_here)) = disk_of(name)
            && disk.removed(&name_here, sync_folder != 0).is_err()
        {
            return SQLITE_IOERR_DELETE;
        }
        (*below).xDelete.map_or(SQLITE_IOERR_DELETE, |delete| delete(below, name, 0))
    }
}

/// The file as `unix` knows it.
/// SAFETY: `file` was allocated with room for both.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: `Shim` is two pointers, so what follows it is aligned as SQLite aligned `file`.
    unsafe { file.cast::<Shim>().add(1).cast() }
}

/// SAFETY: `file` is one of ours and open below.
unsafe fn methods<'a>(file: *mut sqlite3_file) -> &'a sqlite3_io_methods {
    // SAFETY: `unix` set its static table when it opened the file.
    unsafe { &*(*real(file)).pMethods }
}

/// SAFETY: `file` is one of ours and open.
unsafe fn opened<'a>(file: *mut sqlite3_file) -> &'a Open {
    // SAFETY: set when it was opened, freed when it is closed.
    unsafe { &*(*file.cast::<Shim>()).open }
}

/// Hands a call on to `unix`, unless the power is gone.
macro_rules! while_lit {
    ($name:ident, $dark:expr, $($argument:ident: $type:ty),*) => {
        // The fields of C tables have the names of C.
        #[allow(non_snake_case)]
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: SQLite calls this with a file that our `open` opened; arguments are passed on as they came.
            unsafe {
                if opened(file).disk.is_dark() {
                    return $dark;
                }
                methods(file).$name.map_or($dark, |call| call(real(file), $($argument),*))
            }
        }
    };
}

/// Hands a call on to `unix`: it tells, or it gives back.
macro_rules! always {
    ($name:ident, $($argument:ident: $type:ty),*) => {
        #[allow(non_snake_case)]
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($argument: $type),*) -> c_int {
            // SAFETY: as above.
            unsafe { methods(file).$name.map_or(SQLITE_ERROR, |call| call(real(file), $($argument),*)) }
        }
    };
}

while_lit!(xRead, SQLITE_IOERR_READ, into: *mut c_void, amount: c_int, at: sqlite3_int64);
while_lit!(xFileSize, SQLITE_IOERR_FSTAT, size: *mut sqlite3_int64);
while_lit!(xLock, SQLITE_IOERR_LOCK, level: c_int);
while_lit!(xCheckReservedLock, SQLITE_IOERR_CHECKRESERVEDLOCK, result: *mut c_int);
while_lit!(xShmMap, SQLITE_IOERR_SHMMAP, page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
always!(xUnlock, level: c_int);
always!(xFileControl, operation: c_int, argument: *mut c_void);
always!(xSectorSize,);
always!(xDeviceCharacteristics,);
always!(xShmLock, offset: c_int, count: c_int, flags: c_int);
always!(xShmUnmap, delete: c_int);

unsafe extern "C" fn barrier(file: *mut sqlite3_file) {
    // SAFETY: a file of ours.
    unsafe {
        if let Some(barrier) = methods(file).xShmBarrier {
            barrier(real(file));
        }
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: a file of ours, and `amount` bytes at `from`.
    unsafe {
        let open = opened(file);
        match open.disk.trouble() {
            Some(Trouble::Full) => return SQLITE_FULL,
            Some(Trouble::Write) => return SQLITE_IOERR_WRITE,
            Some(Trouble::Sync) | None => {}
        }
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), amount as usize);
        if open.disk.wrote(open.content, at as usize, bytes).is_err() {
            return SQLITE_IOERR_WRITE;
        }
        methods(file).xWrite.map_or(SQLITE_IOERR_WRITE, |write| write(real(file), from, amount, at))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: sqlite3_int64) -> c_int {
    // SAFETY: a file of ours.
    unsafe {
        let open = opened(file);
        if open.disk.truncated(open.content, to as usize).is_err() {
            return SQLITE_IOERR_TRUNCATE;
        }
        methods(file).xTruncate.map_or(SQLITE_IOERR_TRUNCATE, |truncate| truncate(real(file), to))
    }
}

/// The machine under the test stays up, so its own disk need not be waited for.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: a file of ours.
    let open = unsafe { opened(file) };
    if open.disk.trouble() == Some(Trouble::Sync) {
        return SQLITE_IOERR_FSYNC;
    }
    if open.disk.synced(open.content, open.folder_too).is_err() { SQLITE_IOERR_FSYNC } else { SQLITE_OK }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: a file of ours; SQLite does not use it again.
    unsafe {
        let result = methods(file).xClose.map_or(SQLITE_OK, |close| close(real(file)));
        drop(Box::from_raw((*file.cast::<Shim>()).open));
        (*file).pMethods = std::ptr::null();
        result
    }
}

/// Version 2 has the shared memory of the log and no memory-mapped files.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(xRead),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(xFileSize),
    xLock: Some(xLock),
    xUnlock: Some(xUnlock),
    xCheckReservedLock: Some(xCheckReservedLock),
    xFileControl: Some(xFileControl),
    xSectorSize: Some(xSectorSize),
    xDeviceCharacteristics: Some(xDeviceCharacteristics),
    xShmMap: Some(xShmMap),
    xShmLock: Some(xShmLock),
    xShmBarrier: Some(barrier),
    xShmUnmap: Some(xShmUnmap),
    xFetch: None,
    xUnfetch: None,
};
