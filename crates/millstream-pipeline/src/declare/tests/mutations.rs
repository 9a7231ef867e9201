use super::*;

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

fn mutated(dice: &mut Dice, seeds: &[&str]) -> String {
    let mut bytes = seeds[dice.below(seeds.len())].as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 => bytes.truncate(at),
            2 => {
                let other = seeds[dice.below(seeds.len())].as_bytes();
                let from = dice.below(other.len());
                let to = from + dice.below(other.len() - from);
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            3 => {
                let to = at + dice.below(bytes.len().saturating_sub(at));
                bytes.drain(at..to);
            }
            _ => {
                const PIECES: [&str; 16] = [
                    "\"",
                    "'''",
                    "[",
                    "]",
                    "{",
                    "}",
                    "=",
                    ".",
                    "\n",
                    "\r",
                    "\0",
                    "ä",
                    "🎥",
                    "[[stage.a]]\n",
                    "#",
                    "nan",
                ];
                bytes.splice(at..at, PIECES[dice.below(PIECES.len())].bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_text_makes_it_panic_and_every_refusal_can_be_shown() {
    let mut seeds: Vec<&str> = bad::files().collect();
    let windows = good::WEBCAM.replace('\n', "\r\n");
    seeds.extend([good::WEBCAM, &windows, include_str!("nine.toml")]);
    let registry = registry();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut refused = 0;
    for _ in 0..4000 {
        let text = mutated(&mut dice, &seeds);
        let change = mutated(&mut dice, &["vp8.bitrate=800kbit/s", "page.video={ from = \"vp8\", items = 3 }"]);
        let changes: Vec<_> = Override::parse(&change).into_iter().collect();
        for changes in [&[][..], &changes] {
            if let Err(diagnostics) = read(&text, "test.toml", changes, &registry) {
                refused += 1;
                check(&diagnostics, &text);
            }
        }
    }
    assert!(refused > 4000, "{refused}");
}

fn check(diagnostics: &Diagnostics, text: &str) {
    let shown = diagnostics.to_string();
    assert!(diagnostics.len() > 0);
    let titles = shown.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(titles, diagnostics.len(), "{text:?}\n{shown}");
    for one in diagnostics {
        assert!(one.line > 0 && one.column > 0);
        let place = format!("{}:{}:{}", one.origin, one.line, one.column);
        assert!(one.to_string().contains(&place), "{place} of {text:?}\n{one}");
    }
}

#[test]
fn depth_does_not_overflow_the_stack() {
    let key = "a.".repeat(48) + "a";
    for text in [
        "a.".repeat(100_000) + "a = 1",
        format!("[{}a]", "a.".repeat(100_000)),
        "a = ".to_owned() + &"[".repeat(100_000),
        format!("{key} = ") + &format!("{{ {key} = ").repeat(100),
        format!("stage.x.{key} = ") + &format!("{{ {key} = ").repeat(78) + "1" + &" }".repeat(78),
    ] {
        assert!(read_with(&text, &[]).is_err());
    }
}
