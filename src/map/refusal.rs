//! Why no plan of a layer is as a file wants it, and what would be.

use super::space::{Shortage, Space};
use super::wishes::Wish;
use super::{Order, Plan};
use crate::hw::{Hardware, Operand};

/// Most values of a field that are listed.
const MAX_VALUES: usize = 6;

/// The field that leaves no plan of `space` and is to blame, behind a colon, and what is wrong with it: what `wish` wants
/// beside it is possible. Without a field where only several of them together leave none.
pub(super) fn refusal(space: &Space, wish: &Wish) -> (String, String) {
    let fields = wish.said.fields();
    for (field, value) in &fields {
        let less = wish.without(field);
        let legal = space.clone().with(Some(&less)).plans();
        if less != *wish && !legal.is_empty() {
            return (format!(": {field}"), blame(space, wish, field, value, &legal));
        }
    }
    let all: Vec<String> = fields.iter().map(|(field, value)| format!("{field}: {value}")).collect();
    (String::new(), format!("no legal plan has ({}), nor all of it but one field", all.join(", ")))
}

/// What is wrong with the `value` of `field`, without which `wish` leaves the plans `legal`.
fn blame(space: &Space, wish: &Wish, field: &str, value: &str, legal: &[Plan]) -> String {
    let mut values: Vec<String> = Vec::new();
    for plan in legal {
        let value = space.value(field, plan);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let more = if values.len() > MAX_VALUES { ", ..." } else { "" };
    values.truncate(MAX_VALUES);
    let reason = space.reason(wish, &legal[0]);
    let values = values.join(", ");
    format!("no legal plan has {value}{reason}; beside the rest of the file it may be {values}{more}")
}

impl Space<'_> {
    /// What `plan` has as `field`, as a file states it.
    fn value(&self, field: &str, plan: &Plan) -> String {
        match field {
            "unit" => format!("{:?}", self.hardware.unit(plan.unit).name()),
            "dataflow" => format!("{:?}", plan.dataflow),
            "lanes" => plan.lanes.to_string(),
            "channels" => plan.channels.to_string(),
            "order" => plan.order.to_string(),
            "recompute" => plan.recompute.to_string(),
            home => {
                let operand = Operand::ALL.into_iter().find(|&operand| operand.field() == home);
                let spec = |operand: Operand| plan.home[operand].spec(operand, self.hardware).to_string();
                operand.map_or_else(String::new, spec)
            }
        }
    }

    /// Why `plan`, a legal one, is not if it is as `wish` wants it: what has no room then, or tiles that do not come out.
    fn reason(&self, wish: &Wish, plan: &Plan) -> String {
        let forced = wish.forced(plan);
        if let (Order::PositionsOutermost { tiles, .. }, Some(product)) = (forced.order, &self.layer.product)
        {
            let steps = forced.position_steps(product, self.hardware, self.workload.timesteps).unwrap_or(1);
            let come_out = |tiles: usize| steps.div_ceil(steps.div_ceil(tiles));
            if come_out(tiles) != tiles {
                let more = (tiles..=steps).find(|&tiles| come_out(tiles) == tiles);
                let more = more.map_or_else(String::new, |more| format!(" or {more}"));
                return format!(": its {steps} steps come out in {}{more} tiles", come_out(tiles));
            }
        }
        let placed = self.clone().with(Some(wish)).placed(forced, &mut Vec::new());
        placed.err().map_or_else(String::new, |shortage| format!(": {}", shortage.describe(self.hardware)))
    }
}

impl Shortage {
    /// In words.
    pub fn describe(&self, hardware: &Hardware) -> String {
        let memory = &hardware.memories[self.memory];
        format!(
            "{} need {:.0} bytes, and {} has {:.0} left of {} (capacity_bytes)",
            self.operand.describe(),
            (self.needed_bits / 8.0).ceil(),
            memory.name,
            (self.free_bits / 8.0).floor(),
            memory.capacity_bytes.value
        )
    }
}
