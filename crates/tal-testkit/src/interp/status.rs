//! What the kernel tells about a file, in the layouts of its calls.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// `struct stat` of AMD64.
pub(super) fn stat(m: &Metadata) -> Vec<u8> {
    let words = [
        m.dev(),
        m.ino(),
        m.nlink(),
        u64::from(m.mode()) | u64::from(m.uid()) << 32,
        m.gid().into(),
        m.rdev(),
        m.size(),
        m.blksize(),
        m.blocks(),
        m.atime() as u64,
        m.atime_nsec() as u64,
        m.mtime() as u64,
        m.mtime_nsec() as u64,
        m.ctime() as u64,
        m.ctime_nsec() as u64,
        0,
        0,
        0,
    ];
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// `struct stat64` of IA-32, of a `struct stat` of AMD64.
pub(super) fn stat64(of: &[u8]) -> Vec<u8> {
    // Where a field lies, where it comes from, and how many bytes it has.
    const FIELDS: [(usize, usize, usize); 17] = [
        (0, 0, 8),   // st_dev
        (12, 8, 4),  // the lower half of st_ino
        (16, 24, 4), // st_mode
        (20, 16, 4), // st_nlink
        (24, 28, 4), // st_uid
        (28, 32, 4), // st_gid
        (32, 40, 8), // st_rdev
        (44, 48, 8), // st_size
        (52, 56, 4), // st_blksize
        (56, 64, 8), // st_blocks
        (64, 72, 4), // st_atime, and so on
        (68, 80, 4),
        (72, 88, 4),
        (76, 96, 4),
        (80, 104, 4),
        (84, 112, 4),
        (88, 8, 8), // st_ino
    ];
    let mut bytes = vec![0; 96];
    for (to, from, size) in FIELDS {
        bytes[to..to + size].copy_from_slice(&of[from..from + size]);
    }
    bytes
}

/// `struct statx`, of a `struct stat` of AMD64.
pub(super) fn statx(of: &[u8]) -> Vec<u8> {
    const BASIC_STATS: u32 = 0x7ff;
    const FIELDS: [(usize, usize, usize); 14] = [
        (4, 56, 4),  // stx_blksize
        (16, 16, 4), // stx_nlink
        (20, 28, 4), // stx_uid
        (24, 32, 4), // stx_gid
        (28, 24, 2), // stx_mode
        (32, 8, 8),  // stx_ino
        (40, 48, 8), // stx_size
        (48, 64, 8), // stx_blocks
        (64, 72, 8), // stx_atime
        (72, 80, 4),
        (96, 104, 8), // stx_ctime
        (104, 112, 4),
        (112, 88, 8), // stx_mtime
        (120, 96, 4),
    ];
    let mut bytes = vec![0; 256];
    bytes[..4].copy_from_slice(&BASIC_STATS.to_le_bytes());
    for (to, from, size) in FIELDS {
        bytes[to..to + size].copy_from_slice(&of[from..from + size]);
    }
    let device = of.first_chunk().map_or(0, |d| u64::from_le_bytes(*d));
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    bytes[136..140].copy_from_slice(&(major as u32).to_le_bytes());
    bytes[140..144].copy_from_slice(&(minor as u32).to_le_bytes());
    bytes
}
