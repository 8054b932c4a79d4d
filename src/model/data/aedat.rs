//! AEDAT 3.1, the format of recordings of event cameras; polarity events only.
//!
//! <https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html>. Events are
//! read as SpikingJelly's `load_aedat_v3` does, which the published networks were trained with: validity
//! marks are not looked at.

use std::io::{BufRead, Read, sink};

use super::events::Event;
use crate::error::{Error, Result};

/// Header lines and their bytes that are read.
const MAX_HEADER: u64 = 1 << 16;
const PACKET_HEADER: usize = 28;
const EVENT: usize = 8;
/// Type of packets with polarity events.
const POLARITY: u16 = 1;

/// Polarity events of `file` whose time `keep` accepts, in their order; `path` is for messages.
///
/// Memory is bounded by what is kept.
pub fn events(mut file: impl BufRead, path: &str, keep: impl Fn(u64) -> bool) -> Result<Vec<Event>> {
    let mut at = skip_header(&mut file, path)?;
    let mut events = Vec::new();
    while let Some(header) = packet_header(&mut file, at, path)? {
        let refuse = |field, message: String| {
            Err(Error::field(path, format!("packet at byte {at}: {field}"), message))
        };
        let [capacity, number, size] = [header.capacity, header.number, header.size].map(u64::from);
        if number > capacity {
            return refuse("eventNumber", format!("{number} exceeds eventCapacity {capacity}"));
        }
        let mut left = capacity * size;
        if header.kind == POLARITY {
            if header.size as usize != EVENT || header.time_offset != 4 {
                let message =
                    format!("{size} bytes with the time at {}, expected 8 and 4", header.time_offset);
                return refuse("eventSize", message);
            }
            for i in 0..number {
                let mut bytes = [0; EVENT];
                if read_full(&mut file, &mut bytes, path)? < EVENT {
                    return refuse("events", format!("{i} of {number} are there"));
                }
                let event = event(bytes, header.overflow);
                events.extend(Some(event).filter(|event| keep(event.time_us)));
            }
            left -= number * size;
        }
        let skipped =
            std::io::copy(&mut file.by_ref().take(left), &mut sink()).map_err(|e| Error::io(path, e))?;
        if skipped < left {
            return refuse("length", format!("{} of {} bytes are missing", left - skipped, capacity * size));
        }
        at += PACKET_HEADER as u64 + capacity * size;
    }
    Ok(events)
}

/// Reads the lines that start with `#`, to the one that says that it is the last; where they end.
fn skip_header(file: &mut impl BufRead, path: &str) -> Result<u64> {
    let mut header = file.by_ref().take(MAX_HEADER);
    let mut at = 0;
    loop {
        let mut line = Vec::new();
        let read = header.read_until(b'\n', &mut line).map_err(|e| Error::io(path, e))?;
        let text = line.trim_ascii_end();
        match at {
            0 if text != b"#!AER-DAT3.1" => return Err(Error::field(path, "magic", "not an AEDAT 3.1 file")),
            _ if !text.starts_with(b"#") => {
                return Err(Error::field(path, "header", format!("no #!END-HEADER in {at} bytes")));
            }
            _ => {}
        }
        if let Some(format) = text.strip_prefix(b"#Format: ").filter(|format| *format != b"RAW") {
            let message = format!("{:?}, expected RAW", String::from_utf8_lossy(format));
            return Err(Error::field(path, "Format", message));
        }
        at += read as u64;
        if text == b"#!END-HEADER" {
            return Ok(at);
        }
    }
}

/// The fields of a packet's header that say what follows.
struct PacketHeader {
    kind: u16,
    /// Bytes of an event.
    size: u32,
    /// Where the time is in an event.
    time_offset: u32,
    /// How often the 31 bits of a time have overflowed.
    overflow: u32,
    /// Events that there is room for.
    capacity: u32,
    /// Events that are there.
    number: u32,
}

/// The next packet's header; nothing at the end of the file.
fn packet_header(file: &mut impl Read, at: u64, path: &str) -> Result<Option<PacketHeader>> {
    let mut bytes = [0; PACKET_HEADER];
    match read_full(file, &mut bytes, path)? {
        0 => return Ok(None),
        PACKET_HEADER => {}
        there => {
            let message = format!("{there} of {PACKET_HEADER} bytes are there");
            return Err(Error::field(path, format!("packet at byte {at}: header"), message));
        }
    }
    let word = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    Ok(Some(PacketHeader {
        kind: word(0) as u16,
        size: word(4),
        time_offset: word(8),
        overflow: word(12),
        capacity: word(16),
        number: word(20),
    }))
}

/// Bytes read: fewer than asked for at the end of the file.
fn read_full(file: &mut impl Read, bytes: &mut [u8], path: &str) -> Result<usize> {
    let mut there = 0;
    while there < bytes.len() {
        match file.read(&mut bytes[there..]) {
            Ok(0) => break,
            Ok(read) => there += read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(path, e)),
        }
    }
    Ok(there)
}

/// Address: bit 0 valid, bit 1 polarity, then 15 bits of y and 15 of x. Time: 31 bits.
fn event(bytes: [u8; EVENT], overflow: u32) -> Event {
    let raw = u64::from_le_bytes(bytes);
    let address = raw as u32;
    Event {
        time_us: (raw >> 32) | (u64::from(overflow) << 31),
        x: (address >> 17) as u16,
        y: (address >> 2 & 0x7fff) as u16,
        on: address >> 1 & 1 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n";

    fn packet(kind: u16, overflow: u32, capacity: u32, number: u32, payload: &[u8]) -> Vec<u8> {
        let size = payload.len() as u32 / capacity;
        let words = [size, 4, overflow, capacity, number, number].map(u32::to_le_bytes).concat();
        [&kind.to_le_bytes()[..], &[1, 0], &words, payload].concat()
    }

    /// x 5, y 9, brighter, valid: 5 << 17 | 9 << 2 | 2 | 1 = 655399.
    const BRIGHTER: [u8; 8] = [0x27, 0, 0x0a, 0, 100, 0, 0, 0];
    /// x 127, y 0, darker, not valid; 200 µs.
    const DARKER: [u8; 8] = [0, 0, 0xfe, 0, 200, 0, 0, 0];

    fn read(bytes: &[u8]) -> Result<Vec<Event>> {
        events(bytes, "x.aedat", |time| time != 101)
    }

    #[test]
    fn events_of_packets() {
        let file = [
            HEADER.to_vec(),
            packet(1, 0, 3, 2, &[BRIGHTER, DARKER, [0; 8]].concat()),
            // Special events, of other bytes, are passed over.
            packet(0, 0, 1, 1, &[1; 12]),
            packet(1, 2, 1, 1, &BRIGHTER),
        ];
        let brighter = Event { time_us: 100, x: 5, y: 9, on: true };
        let darker = Event { time_us: 200, x: 127, y: 0, on: false };
        let later = Event { time_us: 100 + (2 << 31), ..brighter };
        assert_eq!(read(&file.concat()).unwrap(), [brighter, darker, later]);
    }

    #[test]
    fn refuses_what_is_cut_or_of_another_format() {
        let message = |parts: &[&[u8]]| read(&parts.concat()).unwrap_err().to_string();
        let whole = packet(1, 0, 2, 2, &[BRIGHTER, DARKER].concat());
        assert_eq!(message(&[b"#!AER-DAT2.0\r\n"]), "x.aedat: magic: not an AEDAT 3.1 file");
        assert_eq!(message(&[b"#!AER-DAT3.1\r\n"]), "x.aedat: header: no #!END-HEADER in 14 bytes");
        assert_eq!(
            message(&[b"#!AER-DAT3.1\r\n#Format: Compressed\r\n"]),
            "x.aedat: Format: \"Compressed\", expected RAW"
        );
        assert_eq!(
            message(&[HEADER, &whole[..20]]),
            "x.aedat: packet at byte 61: header: 20 of 28 bytes are there"
        );
        assert_eq!(message(&[HEADER, &whole[..40]]), "x.aedat: packet at byte 61: events: 1 of 2 are there");
        assert_eq!(
            message(&[HEADER, &whole, &packet(0, 0, 1, 1, &[1; 12])[..30]]),
            "x.aedat: packet at byte 105: length: 10 of 12 bytes are missing"
        );
        assert_eq!(
            message(&[HEADER, &packet(1, 0, 1, 2, &BRIGHTER)]),
            "x.aedat: packet at byte 61: eventNumber: 2 exceeds eventCapacity 1"
        );
        assert_eq!(
            message(&[HEADER, &packet(1, 0, 1, 1, &[0; 12])]),
            "x.aedat: packet at byte 61: eventSize: 12 bytes with the time at 4, expected 8 and 4"
        );
    }
}
