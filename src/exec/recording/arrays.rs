//! The arrays of a recording: what nodes of a network yield, as a file holds it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::RangeInclusive;

use crate::check::in_range;
use crate::error::{Error, Result};
use crate::model::{Kind, Network, Node, NodeId, Op};
use crate::npy::{self, Array};
use crate::npz::Npz;
use crate::tensor::{Frames, Shape};

/// Images of one file.
const IMAGES: RangeInclusive<usize> = 1..=10_000;

/// All arrays of a file, checked.
#[derive(Debug)]
pub struct Arrays {
    /// The images that each of them holds.
    pub images: usize,
    by_node: BTreeMap<NodeId, Values>,
}

/// What one node yields.
#[derive(Debug)]
struct Values {
    /// The file and the array, for messages.
    place: String,
    key: String,
    /// `[frames, images, C, H, W]`, the second extent left out where there is one image.
    array: Array,
    images: usize,
    shape: Shape,
    kind: Kind,
    /// Frames that the network tells apart.
    distinct: usize,
}

impl Arrays {
    /// Reads every array of `file`; its key is the layer of `network` that reads or yields the values.
    ///
    /// # Errors
    /// Names the file, and the array that has no layer, or not the shape or the values of one.
    pub fn read(mut file: Npz, network: &Network) -> Result<Self> {
        let mut images = None;
        let mut by_node = BTreeMap::<NodeId, Values>::new();
        for key in file.keys() {
            let id = source(network, &key).map_err(|message| Error::field(file.path(), &key, message))?;
            let values = Values::read(&mut file, key, network, id)?;
            let place = file.place(&values.key);
            let all = *images.get_or_insert(values.images);
            if values.images != all {
                let message = format!("{} instead of the {all} of the arrays before", values.images);
                return Err(Error::field(place, "images", message));
            }
            match by_node.entry(id) {
                Entry::Vacant(free) => drop(free.insert(values)),
                Entry::Occupied(other) => values.check_equals(other.get(), &place)?,
            }
        }
        match images {
            Some(images) => Ok(Self { images, by_node }),
            None => Err(Error::field(file.path(), "arrays", "there are none")),
        }
    }

    /// True if the file says what node `id` yields.
    pub fn has(&self, id: NodeId) -> bool {
        self.by_node.contains_key(&id)
    }

    /// Refuses other spikes of node `id` and `image` than those that were `derived` from what it reads.
    pub fn check_follows(&self, id: NodeId, image: usize, derived: &Frames<i64>) -> Result<()> {
        self.by_node.get(&id).map_or(Ok(()), |values| values.check_follows(image, derived))
    }

    /// What node `id` yields of `image`: spikes, counts and levels as they are, of any other values whether they are
    /// zero.
    pub fn values(&self, id: NodeId, image: usize) -> Option<Frames<i64>> {
        self.by_node.get(&id).map(|values| values.of_image(image))
    }
}

/// The node whose values an array called `key` holds, or why there is none: a weight layer says what it reads, any
/// other layer what it yields.
fn source(network: &Network, key: &str) -> Result<NodeId, String> {
    let Some((id, node)) = network.iter().find(|(_, node)| node.name == key) else {
        return Err("the network has no such layer".to_owned());
    };
    if let Op::Weighted(_) = node.op {
        return Ok(node.inputs[0]);
    }
    let has_weights = |(_, reader): (NodeId, &Node)| matches!(reader.op, Op::Weighted(_));
    if node.kind.largest_count().is_some() || network.readers(id).any(has_weights) {
        Ok(id)
    } else {
        Err("yields neither spikes nor what a weight layer reads, and nothing is charged for it".to_owned())
    }
}

impl Values {
    /// Reads what node `id` yields.
    fn read(file: &mut Npz, key: String, network: &Network, id: NodeId) -> Result<Self> {
        let (node, timesteps) = (network.node(id), network.timesteps);
        let place = file.place(&key);
        // A shape is looked at before there is room for its values.
        let shape = file.preamble(&key)?.shape;
        let Some(images) = images_of(&shape, node, timesteps) else {
            return Err(Error::field(place, "shape", expected_shape(&shape, node, timesteps)));
        };
        in_range("images", images, &IMAGES).map_err(|fault| fault.at(&place))?;
        let array = file.read(&key)?;
        let distinct = node.frames(timesteps);
        let values =
            Self { place: place.clone(), key, array, images, shape: node.shape, kind: node.kind, distinct };
        values.check(&place)?;
        Ok(values)
    }

    /// Refuses values that the layer cannot yield, and differences in time where the network has none.
    fn check(&self, place: &str) -> Result<()> {
        let wrong = |(_, value): &(usize, &[u8])| decode(self.kind, self.array.kind, value).is_none();
        if let Some((i, value)) = self.array.values().enumerate().find(wrong) {
            let is = match self.kind.largest_count() {
                Some(1) => "is no spike, which is 0 or 1".to_owned(),
                Some(max) => format!("is not a whole number of 0 to {max}"),
                None => "is not a finite number".to_owned(),
            };
            return Err(self.refuse(place, i, format!("{} {is}", self.array.kind.text(value))));
        }
        let frame = self.images * self.shape.values();
        let mut later = self.array.values().enumerate().skip(self.distinct * frame);
        let Some((i, _)) = later.find(|(i, value)| *value != self.bytes(i % frame)) else { return Ok(()) };
        let [here, first] = [i, i % frame].map(|i| self.array.kind.text(self.bytes(i)));
        let message =
            format!("{here}, and {first} at the first timestep: the layer sees one frame at all of them");
        Err(self.refuse(place, i, message))
    }

    /// Refuses other values than `first`, which holds those of the same node.
    fn check_equals(&self, first: &Self, place: &str) -> Result<()> {
        let frame = self.images * self.shape.values();
        // Where all timesteps see one frame, either file may hold it once.
        let compared = (0..self.distinct * frame).find(|&i| self.value(i) != first.value(i));
        compared.map_or(Ok(()), |i| {
            let [here, there] = [self, first].map(|values| values.array.kind.text(values.bytes(i)));
            Err(self.refuse(
                place,
                i,
                format!("{here}, and {there} in {}, which holds the same values", first.key),
            ))
        })
    }

    /// Refuses other values of `image` than those that were `derived`.
    fn check_follows(&self, image: usize, derived: &Frames<i64>) -> Result<()> {
        let own = self.of_image(image);
        let pairs = own.data.iter().zip(&derived.data).enumerate();
        let Some((i, (here, follows))) = pairs.into_iter().find(|(_, (here, follows))| here != follows)
        else {
            return Ok(());
        };
        let (frame, rest) = (i / self.shape.values(), i % self.shape.values());
        let (position, channel) = (rest / self.shape.channels, rest % self.shape.channels);
        let start = (frame * self.images + image) * self.shape.values();
        let place = start + channel * self.shape.positions() + position;
        let message =
            format!("{here}, and {follows} follows from what the file says of the layers before it");
        Err(self.refuse(&self.place, place, message))
    }

    fn refuse(&self, place: &str, i: usize, message: String) -> Error {
        Error::field(place, self.array.place(i), message)
    }

    /// Value number `i` of the file.
    fn bytes(&self, i: usize) -> &[u8] {
        let bytes = self.array.kind.bytes();
        &self.array.data[i * bytes..][..bytes]
    }

    fn value(&self, i: usize) -> i64 {
        decode(self.kind, self.array.kind, self.bytes(i)).unwrap_or_default()
    }

    /// Values of one image, channels last.
    fn of_image(&self, image: usize) -> Frames<i64> {
        let (shape, positions) = (self.shape, self.shape.positions());
        let frame = |t: usize| {
            let start = (t * self.images + image) * shape.values();
            let value =
                move |position: usize| (0..shape.channels).map(move |c| start + c * positions + position);
            (0..positions).flat_map(value).map(|i| self.value(i))
        };
        Frames { frames: self.distinct, shape, data: (0..self.distinct).flat_map(frame).collect() }
    }
}

/// What is counted of a value; `None` for one that the layer cannot yield.
fn decode(kind: Kind, of: npy::Kind, value: &[u8]) -> Option<i64> {
    match kind.largest_count() {
        Some(max) => of.integer(value).filter(|count| (0..=i64::from(max)).contains(count)),
        None => Some(of.float(value)).filter(|x| x.is_finite()).map(|x| i64::from(x != 0.0)),
    }
}

/// Images of an array of `shape`, if that is one of what `node` yields.
fn images_of(shape: &[usize], node: &Node, timesteps: usize) -> Option<usize> {
    let (frames, images, of_frame) = match *shape {
        [frames, c, h, w] => (frames, 1, Shape::new(c, h, w)),
        [frames, images, c, h, w] => (frames, images, Shape::new(c, h, w)),
        _ => return None,
    };
    let is_whole = frames == timesteps || frames == node.frames(timesteps);
    (is_whole && of_frame == node.shape).then_some(images)
}

fn expected_shape(shape: &[usize], node: &Node, timesteps: usize) -> String {
    let Shape { channels, height, width } = node.shape;
    let once = if node.frames(timesteps) < timesteps { "1 or " } else { "" };
    let frame = format!("{channels}, {height}, {width}");
    // State starts anew with every image, which only an extent of its own says.
    let images = match *shape {
        [frames, c, h, w] if Shape::new(c, h, w) == node.shape && frames > timesteps => frames / timesteps,
        _ => 0,
    };
    let split = if images * timesteps == shape[0] {
        format!("; {images} images in a row are .reshape({images}, {timesteps}, {frame}).swapaxes(0, 1)")
    } else {
        String::new()
    };
    format!(
        "{shape:?} instead of [{once}{timesteps}, {frame}] or [{once}{timesteps}, images, {frame}]{split}"
    )
}
