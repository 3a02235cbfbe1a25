//! The shapes beside texts: one for each state, so that no information is in colour alone. Drawn
//! once per page and used by name.

use maud::{Markup, PreEscaped, html};

use super::palette;
use super::state::State;

/// All shapes, and the hatches of bars, on a field of 16 by 16. They have the colour of the text
/// around them.
const SPRITE: &str = r#"<svg class="sprite" aria-hidden="true" width="0" height="0"><defs>
<symbol id="s-ok" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.5"/></symbol>
<symbol id="s-degraded" viewBox="0 0 16 16"><path d="M8 1.2 15.4 14.4H.6z"/></symbol>
<symbol id="s-down" viewBox="0 0 16 16"><path fill-rule="evenodd" d="M1.5 1.5h13v13h-13zM5 3.9 3.9 5l3 3-3 3L5 12.1l3-3 3 3 1.1-1.1-3-3 3-3L11 3.9l-3 3z"/></symbol>
<symbol id="s-flapping" viewBox="0 0 16 16"><path fill-rule="evenodd" d="M8 .4 15.6 8 8 15.6.4 8zM3.6 9.3l1.1.9c.8-1 1.4-1.2 2.4-.6 1.7 1.1 3.7.9 5.3-1.9l-1.1-.9c-.9 1.3-1.7 1.6-2.9.8C6.7 6.5 5 6.9 3.6 9.3z"/></symbol>
<symbol id="s-unknown" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.9" stroke-dasharray="3.5 2.365"/></symbol>
<symbol id="s-bookable" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" stroke-width="1.6" d="M2 3.5h12v10.5H2zM5 1v4M11 1v4M5 9l2.2 2.2L11 7.5"/></symbol>
<symbol id="s-withdrawn" viewBox="0 0 16 16"><path fill="none" stroke="currentColor" stroke-width="1.6" d="M2 3.5h12v10.5H2zM5 1v4M11 1v4M5 11.5l6-4"/></symbol>
<symbol id="s-held" viewBox="0 0 16 16"><path d="M3 7h10v8H3z"/><path fill="none" stroke="currentColor" stroke-width="1.6" d="M5 7V4.5a3 3 0 0 1 6 0V7"/></symbol>
<symbol id="s-clash" viewBox="0 0 16 16"><path d="M9.5 0 3 9h4l-1 7 7-9.5H8.5z"/></symbol>
<pattern id="h-gap" width="7" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0h1.3v6H0z"/></pattern>
<pattern id="h-unknown" width="6" height="6" patternUnits="userSpaceOnUse"><path class="dot" d="M1 1h3v3H1z"/></pattern>
</defs></svg>"#;

/// The definitions of all shapes, to be included once on each page.
pub(super) const fn sprite() -> PreEscaped<&'static str> {
    PreEscaped(SPRITE)
}

/// A shape, hidden from screen readers: a text is beside it.
pub(super) fn shape(name: &str) -> Markup {
    html! { svg.shape aria-hidden="true" { use href={ "#s-" (name) } {} } }
}

/// The icon of the tab, in the shape of the worst state.
pub(super) fn icon(state: State) -> String {
    let (start, end) = (
        format!("<symbol id=\"s-{}\" viewBox=\"0 0 16 16\">", state.as_str()),
        "</symbol>",
    );
    let shape = SPRITE
        .split(&start)
        .nth(1)
        .and_then(|rest| rest.split(end).next())
        .unwrap_or_default();
    let colour = palette::hex(&format!("{}-fill", state.as_str()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\" color=\"{colour}\" fill=\"{colour}\">{shape}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::state::STATES;
    use super::*;

    #[test]
    fn every_state_has_a_shape_of_its_own() {
        let mut icons: Vec<String> = STATES.into_iter().map(icon).collect();
        for icon in &icons {
            assert!(icon.contains("<circle") || icon.contains("<path"), "{icon}");
        }
        icons.sort();
        icons.dedup();
        assert_eq!(icons.len(), STATES.len());
    }
}
