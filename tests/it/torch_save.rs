//! Archives as `torch.save` lays them out, and the pickles inside, byte by byte: for files that no PyTorch at
//! hand would write.

use flate2::Crc;

/// How an archive ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Directory {
    /// The directory of zip archives that need no more.
    Plain,
    /// The directory that PyTorch writes: 76 bytes of ZIP64 records in between, and the plain record complete.
    Both,
    /// The plain record refers to the ZIP64 records for everything.
    Zip64,
}

/// An archive of `records` in the folder `stem`, each aligned to 64 bytes, its sizes behind it.
pub fn archive(stem: &str, records: &[(&str, &[u8])], end: Directory) -> Vec<u8> {
    let mut writer = Writer::default();
    for (record, content) in records {
        let name = format!("{stem}/{record}");
        let start = writer.record(&name, content);
        writer.entry(&name, content, start);
    }
    writer.finish(end)
}

/// The archive of a pickle, and of `content` once, which is the storage of every one of `keys`.
pub fn overlapping(root: &[u8], keys: &[String], content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    let pickle = [b"\x80\x02", root, b"."].concat();
    let start = writer.record("x/data.pkl", &pickle);
    writer.entry("x/data.pkl", &pickle, start);
    let start = writer.record("x/data/000", content);
    keys.iter().for_each(|key| writer.entry(&format!("x/data/{key}"), content, start));
    writer.finish(Directory::Plain)
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u64,
}

impl Writer {
    /// Writes a record, and yields where it starts.
    fn record(&mut self, name: &str, content: &[u8]) -> u32 {
        let start = self.bytes.len();
        // PyTorch pads by a field of its own.
        let padding = (64 - (start + 30 + name.len() + 4) % 64) % 64;
        self.bytes.extend(b"PK\x03\x04\x00\x00\x08\x08");
        self.bytes.extend([0; 18]);
        self.bytes.extend([name.len() as u16, padding as u16 + 4].map(u16::to_le_bytes).concat());
        self.bytes.extend(name.as_bytes());
        self.bytes.extend([&b"FB"[..], &u16::to_le_bytes(padding as u16), &vec![b'Z'; padding]].concat());
        self.bytes.extend(content);
        self.bytes.extend([b"PK\x07\x08", sums(content).as_slice()].concat());
        start as u32
    }

    fn entry(&mut self, name: &str, content: &[u8], start: u32) {
        let header = b"PK\x01\x02\x00\x00\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00";
        let length = u16::to_le_bytes(name.len() as u16);
        let parts: [&[u8]; 6] =
            [header, &sums(content), &length, &[0; 12], &start.to_le_bytes(), name.as_bytes()];
        self.directory.extend(parts.concat());
        self.entries += 1;
    }

    fn finish(mut self, end: Directory) -> Vec<u8> {
        let (start, size, count) = (self.bytes.len() as u64, self.directory.len() as u64, self.entries);
        self.bytes.append(&mut self.directory);
        if end != Directory::Plain {
            let at = self.bytes.len() as u64;
            self.bytes.extend(b"PK\x06\x06");
            self.bytes.extend(44u64.to_le_bytes());
            self.bytes.extend(b"\x1e\x03\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00");
            self.bytes.extend([count, count, size, start].map(u64::to_le_bytes).concat());
            self.bytes.extend(b"PK\x06\x07\x00\x00\x00\x00");
            self.bytes.extend(at.to_le_bytes());
            self.bytes.extend(1u32.to_le_bytes());
        }
        let (count, size, start) = match end {
            Directory::Zip64 => (u16::MAX, u32::MAX, u32::MAX),
            _ => (count as u16, size as u32, start as u32),
        };
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend([count, count].map(u16::to_le_bytes).concat());
        self.bytes.extend([size, start].map(u32::to_le_bytes).concat());
        self.bytes.extend([0; 2]);
        self.bytes
    }
}

/// Checksum and sizes.
fn sums(content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(content);
    let size = content.len() as u32;
    [crc.sum(), size, size].map(u32::to_le_bytes).concat()
}

/// A string.
pub fn text(value: &str) -> Vec<u8> {
    [b"X", &(value.len() as u32).to_le_bytes()[..], value.as_bytes()].concat()
}

/// An integer.
pub fn int(value: i32) -> Vec<u8> {
    [&b"J"[..], &value.to_le_bytes()].concat()
}

/// A tuple of values given as operations.
pub fn tuple(items: &[&[u8]]) -> Vec<u8> {
    [b"(", items.concat().as_slice(), b"t"].concat()
}

/// A name.
pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

/// A call.
pub fn call(module: &str, name: &str, arguments: &[&[u8]]) -> Vec<u8> {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

/// A dict of values given as operations.
pub fn dict(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let set = |(key, value): &(&str, &[u8])| [text(key), value.to_vec(), b"s".to_vec()].concat();
    [b"}".to_vec(), entries.iter().flat_map(set).collect()].concat()
}

/// The storage `key` of `class` with a stated number of values, which are operations.
pub fn storage(class: &str, key: &str, values: &[u8]) -> Vec<u8> {
    let items = [text("storage"), global("torch", class), text(key), text("cpu"), values.to_vec()];
    [tuple(&items.each_ref().map(Vec::as_slice)), b"Q".to_vec()].concat()
}

/// An empty dict of hooks.
pub const NO_HOOKS: &[u8] = b"ccollections\nOrderedDict\n)R";

/// The call that makes a tensor, row-major from the start of a storage of single precision.
pub fn tensor(key: &str, shape: &[usize]) -> Vec<u8> {
    let values: usize = shape.iter().product();
    let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product::<usize>());
    let list = |items: Vec<usize>| {
        let items: Vec<_> = items.into_iter().map(|item| int(item as i32)).collect();
        tuple(&items.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let arguments = [
        storage("FloatStorage", key, &int(values as i32)),
        int(0),
        list(shape.to_vec()),
        list(strides.collect()),
        b"\x89".to_vec(),
        NO_HOOKS.to_vec(),
    ];
    call("torch._utils", "_rebuild_tensor_v2", &arguments.each_ref().map(Vec::as_slice))
}

/// The file of a pickle of protocol 2 whose root is `root`, with records of single precision.
pub fn file(root: &[u8], storages: &[(&str, &[f32])]) -> Vec<u8> {
    let pickle = [b"\x80\x02", root, b"."].concat();
    let storages: Vec<(String, Vec<u8>)> = storages
        .iter()
        .map(|(key, values)| (format!("data/{key}"), values.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let mut records = vec![("data.pkl", pickle.as_slice()), ("byteorder", b"little".as_slice())];
    records.extend(storages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    archive("archive", &records, Directory::Both)
}
