//! Reads the pickle of a checkpoint: a program for a machine with a stack and a memo, of which only
//! what a state dict is written with is understood. It builds values; there is nothing that it could
//! execute. Every other operation, and every name that [`globals`] does not know, is refused.

use std::collections::BTreeMap;

use super::entries::shown;
use super::globals::{self, Called, size};
use super::objects::{Global, Object, Pickle, Ref, Storage};

/// What is wrong with a pickle, and with which byte.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// Position of the operation.
    pub byte: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Protocols that `torch.save` writes.
const PROTOCOLS: std::ops::RangeInclusive<u8> = 2..=5;

/// Objects of a pickle, and what its memo remembers. 2,000 tensors and their optimizer take 100,000.
pub const MAX_OBJECTS: usize = 4 << 20;

/// Objects that are always there, so that a history of a million figures is a million references.
const SHARED: [Object; 4] = [Object::Opaque, Object::None, Object::Bool(false), Object::Bool(true)];
const OPAQUE: Ref = Ref(0);
const NONE: Ref = Ref(1);
const FALSE: Ref = Ref(2);
const TRUE: Ref = Ref(3);

/// Reads a pickle of protocol 2, 3, 4 or 5.
pub fn read(bytes: &[u8]) -> Result<Pickle<'_>, Fault> {
    let mut machine = Machine {
        rest: bytes,
        objects: SHARED.to_vec(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    loop {
        let byte = bytes.len() - machine.rest.len();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { objects: machine.objects, root }),
            Err(message) => return Err(Fault { byte, message }),
        }
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    objects: Vec<Object<'a>>,
    stack: Vec<Ref>,
    /// Heights of the stack, rising.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Ref>,
}

impl<'a> Machine<'a> {
    /// One operation; yields the result where it is the last.
    fn step(&mut self) -> Result<Option<Ref>, String> {
        let opcode = self.integer::<1>()? as u8;
        match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => self.protocol()?,
            // A frame says how many bytes follow, which a reader of memory need not know.
            0x95 => drop(self.integer::<8>()?),
            b'N' => self.stack.push(NONE),
            0x88 => self.stack.push(TRUE),
            0x89 => self.stack.push(FALSE),
            b'G' => self.opaque(8)?,
            b'C' => self.counted_opaque::<1>()?,
            b'B' => self.counted_opaque::<4>()?,
            0x8e | 0x96 => self.counted_opaque::<8>()?,
            b'K' => self.push_integer::<1>()?,
            b'M' => self.push_integer::<2>()?,
            b'J' => {
                let value = self.integer::<4>()? as u32 as i32;
                self.push(Object::Int(value.into()))?;
            }
            0x8a => self.long()?,
            0x8b => self.counted_opaque::<4>()?,
            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            b')' | b']' | 0x8f => self.push(Object::Sequence(Vec::new()))?,
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b'(' => self.marks.push(self.stack.len()),
            b't' | 0x91 => {
                let items = self.since_mark()?;
                self.push(Object::Sequence(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.extend(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'q' => self.remember_at::<1>()?,
            b'r' => self.remember_at::<4>()?,
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' => self.recall::<1>()?,
            b'j' => self.recall::<4>()?,
            _ => self.call_step(opcode)?,
        }
        Ok(None)
    }

    /// Operations that name something or would call it.
    fn call_step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.objects[module.0], &self.objects[name.0]) {
                    (&Object::Text(module), &Object::Text(name)) => self.global(module, name),
                    _ => Err("names something by what is no string".to_owned()),
                }
            }
            b'R' | 0x81 => self.call(),
            0x92 => self.call_with_keywords(),
            b'Q' => self.storage(),
            b'b' => self.build(),
            _ => Err(format!("operation {}, which a checkpoint of tensors does not need", name_of(opcode))),
        }
    }

    fn protocol(&mut self) -> Result<(), String> {
        match self.integer::<1>()? as u8 {
            protocol if PROTOCOLS.contains(&protocol) => Ok(()),
            protocol => Err(format!("pickle protocol {protocol}, expected 2, 3, 4 or 5")),
        }
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let bytes = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let (taken, rest) = bytes.ok_or_else(|| {
            format!("the pickle ends within an operation: {count} bytes wanted, {} left", self.rest.len())
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned little-endian integer of `N` bytes.
    fn integer<const N: usize>(&mut self) -> Result<u64, String> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// Up to a line feed.
    fn line(&mut self) -> Result<&'a str, String> {
        let length = self.rest.iter().position(|&byte| byte == b'\n');
        let length = length.ok_or("the pickle ends within a name")?;
        let line = self.take(length as u64)?;
        self.take(1)?;
        str::from_utf8(line).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn push(&mut self, object: Object<'a>) -> Result<(), String> {
        if self.objects.len() == MAX_OBJECTS {
            return Err(format!("more than {MAX_OBJECTS} objects"));
        }
        self.stack.push(Ref(self.objects.len()));
        self.objects.push(object);
        Ok(())
    }

    fn opaque(&mut self, length: u64) -> Result<(), String> {
        self.take(length)?;
        self.stack.push(OPAQUE);
        Ok(())
    }

    fn counted_opaque<const N: usize>(&mut self) -> Result<(), String> {
        let length = self.integer::<N>()?;
        self.opaque(length)
    }

    fn push_integer<const N: usize>(&mut self) -> Result<(), String> {
        let value = self.integer::<N>()? as i64;
        self.push(Object::Int(value))
    }

    /// Two's complement of a stated length; no size needs more than eight bytes.
    fn long(&mut self) -> Result<(), String> {
        let length = self.integer::<1>()?;
        let bytes = self.take(length)?;
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut word = [fill; 8];
        match word.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                self.push(Object::Int(i64::from_le_bytes(word)))
            }
            None => {
                self.stack.push(OPAQUE);
                Ok(())
            }
        }
    }

    fn text<const N: usize>(&mut self) -> Result<(), String> {
        let length = self.integer::<N>()?;
        let text = str::from_utf8(self.take(length)?).map_err(|_| "a string that is not UTF-8")?;
        self.push(Object::Text(text))
    }

    /// The lowest height that the stack may shrink to.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Ref, String> {
        let top = self.stack[self.floor()..].last();
        top.copied().ok_or_else(|| "takes a value from an empty stack".to_owned())
    }

    fn pop(&mut self) -> Result<Ref, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn since_mark(&mut self) -> Result<Vec<Ref>, String> {
        let mark = self.marks.pop().ok_or("takes values since a mark that was not set")?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, length: usize) -> Result<(), String> {
        let start = self.stack.len().checked_sub(length).filter(|&start| start >= self.floor());
        let items = self.stack.split_off(start.ok_or("takes a value from an empty stack")?);
        self.push(Object::Sequence(items))
    }

    fn extend(&mut self, items: &[Ref]) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.objects[list.0] {
            Object::Sequence(list) => list.extend(items),
            Object::Opaque => {}
            _ => return Err("appends to what is no list".to_owned()),
        }
        Ok(())
    }

    /// Adds keys and values, which alternate.
    fn set(&mut self, items: &[Ref]) -> Result<(), String> {
        let dict = self.top()?;
        match (&mut self.objects[dict.0], items.as_chunks::<2>()) {
            (Object::Dict(dict), (pairs, [])) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            (Object::Opaque, (_, [])) => {}
            (Object::Dict(_) | Object::Opaque, _) => return Err("a key without a value".to_owned()),
            _ => return Err("sets an item of what is no dict".to_owned()),
        }
        Ok(())
    }

    fn remember_at<const N: usize>(&mut self) -> Result<(), String> {
        let index = self.integer::<N>()?;
        self.remember(index)
    }

    fn remember(&mut self, index: u64) -> Result<(), String> {
        self.memo.insert(index, self.top()?);
        if self.memo.len() > MAX_OBJECTS {
            Err(format!("remembers more than {MAX_OBJECTS} objects"))
        } else {
            Ok(())
        }
    }

    fn recall<const N: usize>(&mut self) -> Result<(), String> {
        let index = self.integer::<N>()?;
        let object =
            self.memo.get(&index).ok_or_else(|| format!("recalls {index}, which was not remembered"))?;
        self.stack.push(*object);
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let global = globals::find(module, name).ok_or_else(|| {
            let called = shown(&format!("{module}.{name}"));
            format!("calls {called}, which a checkpoint of tensors does not need; {ADVICE}")
        })?;
        self.push(Object::Global(global))
    }

    fn call(&mut self) -> Result<(), String> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        match (&self.objects[callee.0], &self.objects[arguments.0]) {
            (Object::Global(global), Object::Sequence(arguments)) => {
                match globals::call(*global, arguments, &self.objects)? {
                    Called::New(Object::Opaque) => self.stack.push(OPAQUE),
                    Called::New(object) => self.push(object)?,
                    Called::Same(object) => self.stack.push(object),
                }
                Ok(())
            }
            _ => Err("calls what cannot be called".to_owned()),
        }
    }

    /// A call with arguments by name, which nothing that makes a tensor has.
    fn call_with_keywords(&mut self) -> Result<(), String> {
        let (_, _, callee) = (self.pop()?, self.pop()?, self.pop()?);
        match self.objects[callee.0] {
            Object::Global(Global::Opaque) => {
                self.stack.push(OPAQUE);
                Ok(())
            }
            _ => Err("calls something with arguments by name".to_owned()),
        }
    }

    /// A storage by its description: `("storage", class, key, device, values)`. The device says where the
    /// values lay when they were saved.
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let wrong = || "refers to something else than a storage".to_owned();
        let Object::Sequence(items) = &self.objects[id.0] else { return Err(wrong()) };
        let [kind, class, key, device, values] = items[..] else { return Err(wrong()) };
        let object = |item: Ref| &self.objects[item.0];
        match (object(kind), object(class), object(key), object(device), object(values)) {
            (
                Object::Text("storage"),
                &Object::Global(Global::Storage(dtype)),
                &Object::Text(key),
                Object::Text(_),
                &Object::Int(values),
            ) => {
                let values = size(values)?;
                self.push(Object::Storage(Storage { dtype, key, values }))
            }
            _ => Err(wrong()),
        }
    }

    /// Attributes of an object: flags of a namespace, the metadata of a state dict. They are no items of a dict,
    /// and not looked at.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        match (&self.objects[self.top()?.0], &self.objects[state.0]) {
            (Object::Opaque, _) => Ok(()),
            (Object::Dict(_), Object::None | Object::Dict(_) | Object::Sequence(_)) => Ok(()),
            _ => Err("sets attributes of what has none".to_owned()),
        }
    }
}

/// What to do where a pickle holds more than values.
pub const ADVICE: &str = "save the state dict alone: torch.save(model.state_dict(), PATH)";

/// Operations of the format that checkpoints are not written with, as its specification names them.
fn name_of(opcode: u8) -> String {
    let name = match opcode {
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'F' => "FLOAT",
        b'I' => "INT",
        b'L' => "LONG",
        b'P' => "PERSID",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'U' => "SHORT_BINSTRING",
        b'V' => "UNICODE",
        b'd' => "DICT",
        b'g' => "GET",
        b'i' => "INST",
        b'l' => "LIST",
        b'o' => "OBJ",
        b'p' => "PUT",
        0x82..=0x84 => "EXT",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        unknown => return format!("{unknown:#04x}"),
    };
    name.to_owned()
}
