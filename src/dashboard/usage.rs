//! What the trees of servers cost. It looks only when asked to, and keeps nothing but the last look.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::plan::ServerId;
use crate::sys::{self, process};

/// The last look.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: BTreeMap<ServerId, (Instant, Duration)>,
}

/// What one tree costs.
#[derive(Debug, Serialize)]
struct Cost {
    /// Of one processor core.
    cpu_percent: f64,
    memory_bytes: u64,
    processes: usize,
}

impl Meter {
    /// What these trees cost, as JSON by id; each is known by the process above it.
    pub(super) fn read(&mut self, trees: &[(ServerId, u32)]) -> String {
        let mut costs = BTreeMap::new();
        self.last.retain(|id, _| trees.iter().any(|(known, _)| known == id));
        for (id, root) in trees {
            let members = process::members(*root);
            let usages: Vec<_> = members.iter().chain([root]).filter_map(|pid| sys::usage(*pid)).collect();
            if usages.is_empty() {
                continue;
            }
            let now = Instant::now();
            // A process that ends hands its time on to its parent, which is in the tree as well.
            let cpu: Duration = usages.iter().map(|usage| usage.cpu).sum();
            let since = self.last.insert(id.clone(), (now, cpu));
            let cost = Cost {
                cpu_percent: since
                    .map_or(0.0, |(then, before)| percent(cpu.saturating_sub(before), now - then)),
                memory_bytes: usages.iter().map(|usage| usage.memory_bytes).sum(),
                processes: members.len(),
            };
            costs.insert(id.0.clone(), cost);
        }
        serde_json::to_string(&costs).expect("string keys and finite numbers")
    }
}

fn percent(used: Duration, passed: Duration) -> f64 {
    let share = used.as_secs_f64() / passed.as_secs_f64().max(0.001);
    (share * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_tree_costs_what_it_uses() {
        assert!((percent(Duration::from_millis(500), Duration::from_secs(2)) - 25.0).abs() < 0.01);
        let mut meter = Meter::default();
        let tree = [(ServerId("a".into()), std::process::id())];
        let first: serde_json::Value = serde_json::from_str(&meter.read(&tree)).unwrap();
        assert!(first["a"]["memory_bytes"].as_u64().is_none_or(|bytes| bytes > 100_000), "{first}");
        crate::testing::eventually("time passes for it", || {
            std::hint::black_box(
                (0..1_000_000_u64).fold(0, |sum, number| sum ^ std::hint::black_box(number)),
            );
            let text = meter.read(&tree);
            let cost: serde_json::Value = serde_json::from_str(&text).unwrap();
            cost["a"]["cpu_percent"].as_f64().is_none_or(|percent| percent > 0.0)
        });
        assert_eq!(meter.read(&[]), "{}");
    }
}
