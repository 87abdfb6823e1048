//! Figures, as a table for people and as JSON for programs.

use serde::Serialize;

/// One promise, measured. `gate` is the floor, `stretch` the aim.
#[derive(Serialize, Debug)]
pub struct Figure {
    pub id: &'static str,
    pub what: String,
    pub ratio: f64,
    pub gate: f64,
    pub stretch: f64,
    /// Whether a smaller ratio is the better one.
    pub smaller_is_better: bool,
    pub pass: bool,
}

impl Figure {
    /// At least `gate` times the baseline.
    pub fn at_least(id: &'static str, what: impl Into<String>, ratio: f64, gate: f64, stretch: f64) -> Self {
        Self { id, what: what.into(), ratio, gate, stretch, smaller_is_better: false, pass: ratio >= gate }
    }

    /// At most `gate` times the baseline.
    pub fn at_most(id: &'static str, what: impl Into<String>, ratio: f64, gate: f64, stretch: f64) -> Self {
        Self { id, what: what.into(), ratio, gate, stretch, smaller_is_better: true, pass: ratio <= gate }
    }
}

/// What a baseline did on this machine; shown so that ratios can be read.
#[derive(Serialize, Debug)]
pub struct Baseline {
    pub id: &'static str,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

#[derive(Serialize, Debug, Default)]
pub struct Report {
    pub baselines: Vec<Baseline>,
    pub figures: Vec<Figure>,
    /// Asked for, but not measurable here, with the reason.
    pub skipped: Vec<Skipped>,
}

#[derive(Serialize, Debug)]
pub struct Skipped {
    pub id: String,
    pub why: String,
}

impl Report {
    pub fn baseline(&mut self, id: &'static str, what: impl Into<String>, value: f64, unit: &'static str) {
        self.baselines.push(Baseline { id, what: what.into(), value, unit });
    }

    pub fn skip(&mut self, id: &str, why: impl Into<String>) {
        self.skipped.push(Skipped { id: id.into(), why: why.into() });
    }

    pub fn passed(&self) -> bool {
        self.figures.iter().all(|figure| figure.pass)
    }

    pub fn table(&self) -> String {
        let mut out = String::new();
        for baseline in &self.baselines {
            out.push_str(&format!("{:4} {:>12.1} {:10} {}\n", baseline.id, baseline.value, baseline.unit, baseline.what));
        }
        if !self.figures.is_empty() {
            out.push_str("\nid        ratio       gate    stretch         what\n");
        }
        for figure in &self.figures {
            let sign = if figure.smaller_is_better { "<=" } else { ">=" };
            let verdict = if figure.pass { "pass" } else { "MISS" };
            let (gate, stretch) = (format!("{sign} {}", figure.gate), format!("{sign} {}", figure.stretch));
            out.push_str(&format!("{:4} {:>10.3} {gate:>10} {stretch:>10}  {verdict}  {}\n", figure.id, figure.ratio, figure.what));
        }
        for skipped in &self.skipped {
            out.push_str(&format!("{:4} not measured: {}\n", skipped.id, skipped.why));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_on_the_wrong_side_of_its_gate_fails_the_report() {
        let mut report = Report::default();
        report.figures.push(Figure::at_least("T1", "accepts", 0.61, 0.60, 0.80));
        report.figures.push(Figure::at_most("T7", "instantiate", 19.0, 20.0, 10.0));
        assert!(report.passed());
        report.figures.push(Figure::at_most("T2", "p99", 3.1, 3.0, 2.0));
        assert!(!report.passed());
        assert!(report.table().contains("MISS"));
    }
}
