use proptest::prelude::*;

use super::rounds::{Rounds, Span};
use super::weights::{Halves, Streamed};
use crate::hw::{Chunks, Done, DuringSweep, Encoder, Lists, LoopOrder, Queue, Sourced, WeightStream};

fn given<T>(value: T) -> Sourced<T> {
    Sourced::new(value, "test")
}

/// Four cycles of a map without spikes; six of one with, and two for each of them.
fn lists(during_sweep: DuringSweep, done: Done) -> Lists {
    Lists {
        encoder: Encoder {
            map_cycles: given(1),
            chunks: Chunks::PerMap(given(1)),
            chunk_cycles: given(2),
            spike_cycles: given(2),
        },
        hand_over_cycles: given(2),
        notice_cycles: given(1),
        next_cycles: given(1),
        idle_cycles: given(1),
        during_sweep: given(during_sweep),
        done: given(done),
        done_cycles: given(3),
    }
}

fn queue(group: u32) -> Queue {
    Queue {
        group: given(group),
        read_cycles: given(1),
        group_cycles: given(1),
        next_cycles: given(1),
        part_cycles: given(1),
        first_cycles: given(2),
        last_cycles: given(2),
        spikes: given(4),
        queue_cycles: given(2),
        settle_cycles: given(3),
        least_cycles: given(6),
        resume_cycles: given(2),
        waiting: given(2),
        write_cycles: given(14),
    }
}

fn rounds(spikes: &[u32], items: usize, passes: u64, event: u64) -> Rounds<'_> {
    Rounds {
        spikes,
        items,
        timesteps: spikes.len() / items,
        passes,
        order: LoopOrder::ChannelsOutermost,
        event,
        sweep: Some(10),
        skips_silence: true,
        overlaps: false,
        layer: 0,
        pass: 0,
        timestep: 0,
        active_timestep: 0,
    }
}

/// Two maps of a timestep. The first has 1 spike: found in 5 cycles, taken at 5, added in 6 to 15 after one idle cycle,
/// and known to be taken at 7; the search goes on at 8. The second has 2: found at 15, taken when adders are idle at 15,
/// noticed at 16. It is added until 34, swept until 44.
#[test]
fn two_lists_by_hand() {
    let spikes = [1, 2];
    let span = |done| rounds(&spikes, 2, 1, 9).lists(&lists(DuringSweep::Waits, done), 4);
    // 16, and 2 to hand over, 1 to go on, 3 to say so.
    let told = span(Done::HandedOver);
    assert_eq!(told.total, 22);
    // Additions take 27 cycles; those behind are the next layer's.
    assert_eq!((told.adding, told.sweeping), (15, 0));
    let drained = span(Done::Drained);
    assert_eq!(drained, Span { total: 44, adding: 27, sweeping: 10 });
}

/// A map that is ready during a sweep which began with idle adders waits for its end, or is lost.
#[test]
fn a_list_that_is_ready_during_a_sweep() {
    // At t = 0 a spike, then silence long enough for the adders to end first; at t = 1 a spike at once.
    let spikes = [1, 0, 0, 1, 0, 0];
    let drained = |during| rounds(&spikes, 3, 1, 2).lists(&lists(during, Done::Drained), 4);
    let (waits, lost) = (drained(DuringSweep::Waits), drained(DuringSweep::IsLost));
    assert_eq!((waits.adding, lost.adding), (4, 2));
    assert!(lost.total < waits.total, "{lost:?} {waits:?}");
}

/// Passes with their sweeps: 2 x (3 x 5 + 10), and a silent timestep between that has no sweep.
#[test]
fn given_spikes_by_hand() {
    let spikes = [3, 0];
    let serial = Rounds { layer: 1, pass: 2, timestep: 3, active_timestep: 4, ..rounds(&spikes, 1, 2, 5) };
    let overheads = 1 + 2 * 2 + 4 * 3 + 2 * 4;
    assert_eq!(serial.given(7), Span { total: 50 + 7 + overheads, adding: 37, sweeping: 20 });
    // Timesteps outermost, a timestep is gone through once, with two passes in it.
    let all = Rounds { order: LoopOrder::TimestepsOutermost, ..serial };
    assert_eq!(all.given(0).total, 50 + 1 + 2 * 2 * 2 + 2 * 3 + 4);
    let spikes = [3, 1];
    let overlapped = Rounds { overlaps: true, ..rounds(&spikes, 1, 1, 5) };
    // 15, the sweep of 10 beside 5 more, and the last sweep.
    assert_eq!(overlapped.given(0).total, 15 + 10 + 10);
}

/// One spike enters the queue at 2 + 1 + 2, leaves it at 7, its sums are there at 13 and written from 14 on.
#[test]
fn a_queue_by_hand() {
    let spikes = [1];
    assert_eq!(rounds(&spikes, 1, 1, 1).queue(&queue(1), None).total, 14 + 14 + 10);
    // Two positions with a spike in common: it is added once, and each position takes the time of a spike. These are
    // cycles of a simulation of all registers between the search and the writer.
    let pair = rounds(&[1, 0, 0], 3, 1, 1).queue(&queue(2), None);
    assert_eq!(pair, Span { total: 49 + 10, adding: 1, sweeping: 10 });
    let pairs = [3, 0, 0, /* the next two */ 0, 1, 2];
    assert_eq!(rounds(&pairs, 6, 1, 1).queue(&queue(2), None).total, 79 + 10);
}

/// Cycles of a cycle by cycle simulation of all registers between the search and the writer.
#[test]
fn depths_of_queues_matter() {
    let total = |spikes: &[u32], held: u32, waiting: u32| {
        let mut queue = queue(1);
        (queue.spikes, queue.waiting) = (given(held), given(waiting));
        Rounds { sweep: None, ..rounds(spikes, spikes.len(), 1, 1) }.queue(&queue, None).total
    };
    // Adders go on to a position of many spikes while sums of two others wait.
    let busy = [1, 1, 1, 1, 1, 1, 30];
    assert_eq!([1, 2].map(|waiting| total(&busy, 16, waiting)), [121, 112]);
    // The search goes on to positions without spikes while the queue holds those that nobody takes.
    let silent: Vec<u32> = (0..94).map(|i| u32::from(i < 24)).collect();
    assert_eq!([4, 16].map(|held| total(&silent, held, 2)), [534, 472]);
}

/// Weights of 4 rows come in halves of 2 rows, which take 2 x 3 + 1 cycles each.
#[test]
fn streamed_weights_by_hand() {
    let stream = WeightStream {
        half_rows: given(2),
        bursts: given(2),
        burst_cycles: given(2),
        latency_cycles: given(1),
        half_cycles: given(1),
        restart_cycles: given(5),
        restarts_at_inputs: None,
    };
    let streamed = Streamed { stream: &stream, rows: 2 };
    let mut first = Halves::new(streamed, 3, true);
    // Two halves are there; the third is fetched when the first is left.
    assert_eq!([first.come(0, 0), first.come(1, 20), first.come(2, 100)], [0, 0, 27]);
    let mut later = Halves::new(streamed, 3, false);
    assert_eq!([later.come(0, 0), later.come(1, 20), later.come(2, 100)], [12, 19, 27]);
    let mut kept = Halves::new(streamed, 1, false);
    assert_eq!(kept.come(0, 0), 0);
}

proptest! {
    /// Nothing that takes longer makes a layer shorter, and no work goes uncounted.
    #[test]
    fn slower_parts_never_save_time(
        spikes in prop::collection::vec(0u32..6, 12), event in 1u64..12, passes in 1u64..4, group in 1u32..3,
    ) {
        let parts = queue(group).parts();
        let items = 4 * parts;
        let counts: Vec<u32> = spikes.iter().copied().cycle().take(2 * items).collect();
        let of = |event| rounds(&counts, items, passes, event);
        let lists = lists(DuringSweep::Waits, Done::Drained);
        let mut slow = lists.clone();
        slow.encoder.spike_cycles = given(3);
        let mut narrow = queue(group);
        narrow.write_cycles = given(20);
        let mut deep = queue(group);
        deep.spikes = given(64);
        for (fast, slow) in [
            (of(event).given(0), of(event + 1).given(0)),
            (of(event).lists(&lists, 8), of(event + 1).lists(&lists, 8)),
            (of(event).lists(&lists, 8), of(event).lists(&slow, 8)),
            (of(event).queue(&queue(group), None), of(event + 1).queue(&queue(group), None)),
            (of(event).queue(&queue(group), None), of(event).queue(&narrow, None)),
            (of(event).queue(&deep, None), of(event).queue(&queue(group), None)),
        ] {
            prop_assert!(fast.total <= slow.total, "{fast:?} {slow:?}");
            prop_assert!(fast.adding + fast.sweeping <= fast.total);
            prop_assert!(slow.adding + slow.sweeping <= slow.total);
        }
    }
}
