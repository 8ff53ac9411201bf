//! Where the fields of ELF headers lie.

/// Offsets and sizes in bytes, of one ELF class.
pub(super) struct Layout {
    /// The size of the ELF header; in executables the program headers follow it.
    pub(super) header: usize,
    /// Fields of the ELF header: offset and size.
    pub(super) header_fields: &'static [(usize, usize)],
    /// Where the number of program headers is.
    pub(super) count: usize,
    /// Where the place of the section headers is.
    pub(super) sections: usize,
    /// The size of a program header, where its place in the file is, and how many bytes that are.
    pub(super) segment: usize,
    pub(super) segment_offset: usize,
    pub(super) segment_size: usize,
    /// Fields of a program header.
    pub(super) segment_fields: &'static [(usize, usize)],
    /// The size of a section header, and its fields.
    pub(super) section: usize,
    pub(super) section_fields: &'static [(usize, usize)],
    word: usize,
}

const ELF64: Layout = Layout {
    header: 64,
    header_fields: &[(16, 2), (18, 2), (24, 8), (32, 8), (52, 2), (54, 2), (56, 2)],
    count: 56,
    sections: 40,
    segment: 56,
    segment_offset: 8,
    segment_size: 32,
    segment_fields: &[(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)],
    section: 64,
    section_fields: &[(0, 4), (4, 4), (8, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)],
    word: 8,
};

const ELF32: Layout = Layout {
    header: 52,
    header_fields: &[(16, 2), (18, 2), (24, 4), (28, 4), (40, 2), (42, 2), (44, 2)],
    count: 44,
    sections: 32,
    segment: 32,
    segment_offset: 4,
    segment_size: 16,
    segment_fields: &[(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4)],
    section: 40,
    section_fields: &[(0, 4), (4, 4), (8, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4)],
    word: 4,
};

impl Layout {
    /// That of a file, by the class that it says.
    pub(super) fn of(file: &[u8]) -> &'static Layout {
        if file.get(4) == Some(&1) { &ELF32 } else { &ELF64 }
    }

    /// Bytes in a word.
    pub(super) fn word_size(&self) -> usize {
        self.word
    }

    /// A word of the file.
    pub(super) fn word(&self, file: &[u8], at: usize) -> Option<usize> {
        let mut bytes = [0; 8];
        bytes[..self.word].copy_from_slice(file.get(at..at + self.word)?);
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }
}
