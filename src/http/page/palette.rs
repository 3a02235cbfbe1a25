//! All colours of the page, in one place, for light and dark. A test computes their contrast; the
//! style sheet uses their names and holds no colour itself.
//!
//! States go from blue (fine) to orange (bad), which readers with any of the common colour
//! weaknesses can distinguish. Shape and text say the same.

use std::fmt::Write;

/// A colour: red, green, blue.
type Rgb = u32;

/// A colour of the page in both themes.
struct Colour {
    /// Its name in the style sheet, as `--name`.
    name: &'static str,
    light: Rgb,
    dark: Rgb,
}

const fn colour(name: &'static str, light: Rgb, dark: Rgb) -> Colour {
    Colour { name, light, dark }
}

/// `…-ink` is for letters, `…-fill` for shapes and bars, `…-wash` is behind letters.
const COLOURS: [Colour; 22] = [
    colour("paper", 0xf5_f6f8, 0x0e_1217),
    colour("card", 0xff_ffff, 0x16_1b22),
    colour("line", 0xd8_dde3, 0x2b_323b),
    colour("edge", 0x7d_8792, 0x6b_7684),
    colour("ink", 0x14_181d, 0xe8_ebee),
    colour("soft", 0x53_5d68, 0xa4_afbb),
    colour("link", 0x0b_57a8, 0x8a_beff),
    colour("focus", 0x0b_57a8, 0xff_d166),
    colour("ok-ink", 0x15_5ca8, 0x8a_beff),
    colour("ok-fill", 0x3b_82c8, 0x4b_8fd6),
    colour("ok-wash", 0xe8_f1fa, 0x17_2636),
    colour("degraded-ink", 0x80_5200, 0xf2_bd4a),
    colour("degraded-fill", 0xb8_7a00, 0xe0_a526),
    colour("degraded-wash", 0xfd_f3dc, 0x2e_2611),
    colour("down-ink", 0xa8_2f00, 0xff_9b73),
    colour("down-fill", 0xd1_3f00, 0xff_7a45),
    colour("down-wash", 0xfd_ebe3, 0x36_1b10),
    colour("flapping-ink", 0x6f_3598, 0xd7_b0f7),
    colour("flapping-fill", 0x8e_4fb8, 0xb8_83e0),
    colour("flapping-wash", 0xf4_ebfa, 0x2a_1e35),
    colour("unknown-ink", 0x4f_5964, 0xb4_bdc7),
    colour("unknown-fill", 0x76_808b, 0x8a_95a1),
];

/// The colours as custom properties: by the system's theme, unless the reader chose one.
pub(super) fn css() -> String {
    let (light, dark) = (
        properties(|colour| colour.light),
        properties(|colour| colour.dark),
    );
    format!(
        ":root{{color-scheme:light;{light}}}\n\
         @media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n\
         :root[data-theme=dark]{{color-scheme:dark;{dark}}}\n\
         @media print{{:root:root{{color-scheme:light;{light}}}}}\n"
    )
}

/// A colour for a file that the style sheet does not reach, such as the icon of the tab.
pub(super) fn hex(name: &str) -> String {
    COLOURS
        .iter()
        .find(|colour| colour.name == name)
        .map_or_else(
            || "currentColor".to_owned(),
            |colour| format!("#{:06x}", colour.light),
        )
}

fn properties(theme: impl Fn(&Colour) -> Rgb) -> String {
    let mut css = String::new();
    for colour in &COLOURS {
        let _ = write!(css, "--{}:#{:06x};", colour.name, theme(colour));
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least contrast of letters: WCAG 2.2, 1.4.3.
    const TEXT: f64 = 4.5;

    /// The least contrast of shapes that mean something: WCAG 2.2, 1.4.11.
    const GRAPHICS: f64 = 3.0;

    /// Colours in front, colours behind, and the least contrast between each two of them.
    const PAIRS: [(&[&str], &[&str], f64); 8] = [
        (&["ink", "soft", "link"], &["paper", "card"], TEXT),
        (
            &[
                "ok-ink",
                "degraded-ink",
                "down-ink",
                "flapping-ink",
                "unknown-ink",
            ],
            &["paper", "card"],
            TEXT,
        ),
        (&["ok-ink", "ink", "soft", "link"], &["ok-wash"], TEXT),
        (
            &["degraded-ink", "ink", "soft", "link"],
            &["degraded-wash"],
            TEXT,
        ),
        (&["down-ink", "ink", "soft", "link"], &["down-wash"], TEXT),
        (
            &["flapping-ink", "ink", "soft", "link"],
            &["flapping-wash"],
            TEXT,
        ),
        (
            &[
                "ok-fill",
                "degraded-fill",
                "down-fill",
                "flapping-fill",
                "unknown-fill",
            ],
            &["paper", "card"],
            GRAPHICS,
        ),
        (&["edge", "focus"], &["paper", "card"], GRAPHICS),
    ];

    #[test]
    fn everything_can_be_read_in_both_themes() {
        let mut found = Vec::new();
        for (fronts, backs, least) in PAIRS {
            for (front, back) in fronts
                .iter()
                .flat_map(|front| backs.iter().map(move |back| (*front, *back)))
            {
                let (front_colour, back_colour) = (named(front), named(back));
                for (theme, contrast) in [
                    ("light", contrast(front_colour.light, back_colour.light)),
                    ("dark", contrast(front_colour.dark, back_colour.dark)),
                ] {
                    if contrast < least {
                        found.push(format!(
                            "{theme}: {front} on {back} is {contrast:.2}, less than {least}"
                        ));
                    }
                }
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn the_computation_is_that_of_the_standard() {
        assert!((contrast(0x00_0000, 0xff_ffff) - 21.0).abs() < 1e-9);
        assert!((contrast(0x77_7777, 0xff_ffff) - 4.48).abs() < 0.005);
        assert!((contrast(0xff_ffff, 0x77_7777) - 4.48).abs() < 0.005);
    }

    #[test]
    fn good_and_bad_differ_for_those_who_see_no_red_or_green() {
        for theme in [
            |colour: &Colour| colour.light,
            |colour: &Colour| colour.dark,
        ] {
            for seen in [protan, deutan] {
                let [ok, degraded, down] =
                    ["ok-fill", "degraded-fill", "down-fill"].map(|name| seen(theme(named(name))));
                assert!(
                    distance(ok, down) > 90.0,
                    "ok and down: {}",
                    distance(ok, down)
                );
                assert!(
                    distance(ok, degraded) > 90.0,
                    "ok and degraded: {}",
                    distance(ok, degraded)
                );
            }
        }
    }

    #[test]
    fn the_style_sheet_uses_only_colours_of_the_palette() {
        let sheet = include_str!("assets/page.css");
        for name in sheet
            .split("var(--")
            .skip(1)
            .filter_map(|rest| rest.split([')', ',']).next())
        {
            assert!(
                COLOURS.iter().any(|colour| colour.name == name)
                    || sheet.contains(&format!("--{name}:")),
                "--{name} is no colour"
            );
        }
        assert!(
            !sheet.contains('#'),
            "a colour that the palette does not know"
        );
    }

    fn named(name: &str) -> &'static Colour {
        COLOURS
            .iter()
            .find(|colour| colour.name == name)
            .expect("a colour of this name")
    }

    fn parts(colour: Rgb) -> [f64; 3] {
        [16, 8, 0].map(|shift| f64::from(colour >> shift & 0xff))
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(colour: Rgb) -> f64 {
        let linear = parts(colour).map(linear);
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn linear(part: f64) -> f64 {
        let part = part / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    }

    /// A colour as seen without red receptors (Viénot, Brettel and Mollon 1999), as linear light.
    fn protan(colour: Rgb) -> [f64; 3] {
        let [r, g, b] = parts(colour).map(linear);
        [
            0.112_38 * r + 0.887_62 * g,
            0.112_38 * r + 0.887_62 * g,
            0.004_01 * r - 0.004_01 * g + b,
        ]
    }

    /// A colour as seen without green receptors.
    fn deutan(colour: Rgb) -> [f64; 3] {
        let [r, g, b] = parts(colour).map(linear);
        [
            0.292_75 * r + 0.707_25 * g,
            0.292_75 * r + 0.707_25 * g,
            -0.022_34 * r + 0.022_34 * g + b,
        ]
    }

    /// How far two colours are apart on the screen, 0 to 441.
    fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
        let back = |part: f64| 255.0 * part.clamp(0.0, 1.0).powf(1.0 / 2.2);
        one.iter()
            .zip(other)
            .map(|(one, other)| (back(*one) - back(other)).powi(2))
            .sum::<f64>()
            .sqrt()
    }
}
