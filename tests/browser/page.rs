//! A page in the browser: what a person does with it, and what they see. Whatever the browser
//! complains of is kept, and a test ends with [`Page::nothing_complained`].

use std::cell::RefCell;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::chromium::{Chromium, browser};
use super::eventually::eventually;

/// Lets the page itself report violations of its policy. The browser reports them too.
const REPORT_VIOLATIONS: &str = "document.addEventListener('securitypolicyviolation', (violation) => \
    console.error('policy:', violation.violatedDirective, violation.blockedURI, violation.sample))";

/// The events of a page that are recorded.
const DOMAINS: [&str; 5] = [
    "Page.enable",
    "Runtime.enable",
    "Log.enable",
    "Audits.enable",
    "Inspector.enable",
];

/// The most of a page in a screenshot, in pixels from its top.
const TALLEST: f64 = 5_000.0;

/// A page with cookies of its own, in front of a user.
pub struct Page {
    browser: &'static Chromium,
    address: String,
    context: String,
    session: String,
    forgiven: Vec<&'static str>,
    ended: bool,
}

/// The presentation of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Light,
    Dark,
    /// A phone of 360 pixels, light.
    Phone,
}

impl Look {
    pub const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Phone];
}

impl Page {
    /// A new page for what is served on this port of this host. It shows nothing yet.
    pub async fn new(port: u16) -> Self {
        let browser = browser();
        let ask = async |method: &str, params: Value| {
            browser
                .call(None, method, params)
                .await
                .expect("the browser does it")
        };
        let context =
            text(&ask("Target.createBrowserContext", json!({})).await["browserContextId"]);
        let target = ask(
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": context}),
        )
        .await;
        let attached = ask(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        )
        .await;
        let address = format!("http://127.0.0.1:{port}");
        let page = Self {
            browser,
            address,
            context,
            session: text(&attached["sessionId"]),
            forgiven: Vec::new(),
            ended: false,
        };
        for domain in DOMAINS {
            page.ask(domain, json!({})).await;
        }
        page.ask(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": REPORT_VIOLATIONS}),
        )
        .await;
        page.ask(
            "Emulation.setFocusEmulationEnabled",
            json!({"enabled": true}),
        )
        .await;
        page.look(Look::Light).await;
        page
    }

    /// Opens an address of the program.
    pub async fn open(&self, path: &str) {
        let gone = self
            .ask(
                "Page.navigate",
                json!({"url": format!("{}{path}", self.address)}),
            )
            .await;
        assert!(gone["errorText"].is_null(), "{path}: {gone}");
        self.until("document.readyState === 'complete'").await;
    }

    /// Waits until an expression holds, whatever pages are loaded meanwhile.
    pub async fn until(&self, expression: &str) {
        let last = RefCell::new(String::new());
        let both = format!("[document.body?.innerText, !!({expression})]");
        let look = async || {
            let seen = self.evaluate(&both).await.ok()?;
            last.replace(text(&seen[0]));
            (seen[1] == true).then_some(())
        };
        let context = || {
            format!(
                "the page says:\n{}\n{:#?}",
                last.borrow(),
                self.complaints()
            )
        };
        eventually(expression, context, look).await;
    }

    /// Waits until the page says this somewhere.
    pub async fn says(&self, words: &str) {
        self.until(&format!(
            "document.body.innerText.includes({})",
            json!(words)
        ))
        .await;
    }

    /// The value of an expression in the page.
    pub async fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self
            .evaluate(expression)
            .await
            .unwrap_or_else(|why| panic!("{expression}: {why}"));
        serde_json::from_value(value).unwrap_or_else(|why| panic!("{expression}: {why}"))
    }

    /// Waits until the page in the page's one frame says this somewhere. It must be of the same
    /// host, whatever its port.
    pub async fn frame_says(&self, words: &str) {
        let seen = RefCell::new(String::new());
        let look = async || {
            let tree = self.ask("Page.getFrameTree", json!({})).await;
            let frame = &tree["frameTree"]["childFrames"][0]["frame"]["id"];
            let world = self
                .browser
                .call(
                    Some(&self.session),
                    "Page.createIsolatedWorld",
                    json!({"frameId": frame}),
                )
                .await
                .ok()?;
            let params = json!({"expression": "document.body?.innerText", "contextId": world["executionContextId"]});
            let said = self
                .browser
                .call(Some(&self.session), "Runtime.evaluate", params)
                .await
                .ok()?;
            seen.replace(text(&said["result"]["value"]));
            seen.borrow().contains(words).then_some(())
        };
        eventually(
            words,
            || {
                format!(
                    "the frame says:\n{}\n{:#?}",
                    seen.borrow(),
                    self.complaints()
                )
            },
            look,
        )
        .await;
    }

    /// The text of the page.
    pub async fn text(&self) -> String {
        self.value("document.body.innerText").await
    }

    /// When an expression began to hold, by the page's own clock: looked at with each change of the
    /// document. It does not outlive the page.
    pub async fn moment_when(&self, expression: &str) -> Timestamp {
        let promise = format!(
            "new Promise((resolve) => {{
                const look = () => {{ if ({expression}) {{ watch.disconnect(); resolve(Date.now()); }} }};
                const watch = new MutationObserver(look);
                watch.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
                look();
            }})"
        );
        #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
        Timestamp::from_millisecond(self.value::<f64>(&promise).await as i64).expect("a moment")
    }

    /// Clicks in the middle of the element that an expression gives.
    pub async fn click(&self, element: &str) {
        self.until(&format!("{element} instanceof Element")).await;
        let middle = format!(
            "(() => {{ const it = {element}; it.scrollIntoView({{ block: 'center', behavior: 'instant' }});
               const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let [x, y] = self.value::<[f64; 2]>(&middle).await;
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let mouse = json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", mouse).await;
        }
    }

    /// Clicks on a link, a button or the like with exactly this text.
    pub async fn click_on(&self, words: &str) {
        let all = "[...document.querySelectorAll('a, button, summary, label')]";
        self.click(&format!(
            "{all}.find((it) => it.innerText.trim() === {} && it.getClientRects().length > 0)",
            json!(words)
        ))
        .await;
    }

    /// Presses a key: a letter, `Tab`, `Shift+Tab`, `Enter`, `Escape`, `Space`.
    pub async fn press(&self, key: &str) {
        let (modifiers, key) = key.strip_prefix("Shift+").map_or((0, key), |key| (8, key));
        let (key, code, number, text) = match key {
            "Tab" => ("Tab", "Tab".to_owned(), 9, ""),
            "Enter" => ("Enter", "Enter".to_owned(), 13, "\r"),
            "Escape" => ("Escape", "Escape".to_owned(), 27, ""),
            "Space" => (" ", "Space".to_owned(), 32, " "),
            letter => (letter, format!("Key{}", letter.to_uppercase()), 0, letter),
        };
        let down = if text.is_empty() {
            "rawKeyDown"
        } else {
            "keyDown"
        };
        let it = |kind: &str, text: &str| json!({"type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text, "modifiers": modifiers});
        self.ask("Input.dispatchKeyEvent", it(down, text)).await;
        self.ask("Input.dispatchKeyEvent", it("keyUp", "")).await;
    }

    /// Writes where the cursor is.
    pub async fn write(&self, words: &str) {
        self.ask("Input.insertText", json!({"text": words})).await;
    }

    /// Presses Tab until the element that has the focus is as this expression of `it` wants, and
    /// gives how often.
    pub async fn tab_to(&self, wanted: &str) -> usize {
        let mut passed = Vec::new();
        for times in 1..200 {
            self.press("Tab").await;
            let at = format!(
                "((it) => [it.innerText || it.name || it.nodeName, !!({wanted})])(document.activeElement)"
            );
            let (name, found) = self.value::<(String, bool)>(&at).await;
            if found {
                return times;
            }
            passed.push(name);
        }
        panic!("Tab never comes to {wanted}, only to {passed:?}");
    }

    /// A screenshot of the whole page, as PNG, when all that it waits for is there; of a very long
    /// one only the beginning.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.value::<()>("Promise.all([document.fonts.ready, ...document.getAnimations().map((it) => it.finished.catch(() => undefined))]).then(() => undefined)")
            .await;
        let [width, height] = self
            .value::<[f64; 2]>("[innerWidth, document.documentElement.scrollHeight]")
            .await;
        let clip =
            json!({"x": 0, "y": 0, "width": width, "height": height.min(TALLEST), "scale": 1});
        let screenshot = self
            .ask(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": true, "clip": clip}),
            )
            .await;
        BASE64_STANDARD
            .decode(text(&screenshot["data"]))
            .expect("base64")
    }

    /// Disables scripts on the pages that it opens.
    pub async fn without_script(&self) {
        self.ask(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        )
        .await;
    }

    /// Sets the presentation from now on.
    pub async fn look(&self, look: Look) {
        let (width, height) = if look == Look::Phone {
            (360, 740)
        } else {
            (1280, 900)
        };
        self.size(width, height, look == Look::Phone).await;
        let theme = if look == Look::Dark { "dark" } else { "light" };
        self.ask(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": theme}]}),
        )
        .await;
    }

    /// Gives it a size in pixels.
    pub async fn size(&self, width: u32, height: u32, phone: bool) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.ask("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// What may be complained of in this test, by words of it.
    pub fn forgive(&mut self, words: &'static str) {
        self.forgiven.push(words);
    }

    /// Ends the page: no error, no exception, nothing that its policy forbids, nothing that the
    /// browser finds wrong.
    pub async fn nothing_complained(mut self) {
        // Events before this answer have arrived.
        self.ask("Runtime.evaluate", json!({"expression": "0"}))
            .await;
        self.ended = true;
        let complaints = self.complaints();
        assert!(
            complaints.is_empty(),
            "{} complaints:\n{}",
            complaints.len(),
            complaints.join("\n")
        );
    }

    /// Waits until something with this in it is complained of.
    pub async fn reported(&self, words: &str) {
        let look = async || {
            self.complaints()
                .iter()
                .any(|complaint| complaint.contains(words))
                .then_some(())
        };
        eventually(words, || self.complaints().join("\n"), look).await;
    }

    /// Ends the page, whatever was complained of.
    pub fn gone(mut self) {
        self.ended = true;
    }

    fn complaints(&self) -> Vec<String> {
        let forgiven =
            |complaint: &String| self.forgiven.iter().any(|words| complaint.contains(words));
        self.browser
            .events(&self.session)
            .iter()
            .filter_map(complaint)
            .filter(|complaint| !forgiven(complaint))
            .collect()
    }

    async fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self
            .browser
            .call(Some(&self.session), "Runtime.evaluate", params)
            .await?;
        let thrown = &answer["exceptionDetails"];
        if thrown.is_null() {
            Ok(answer["result"]["value"].take())
        } else {
            Err(thrown.to_string())
        }
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        self.browser
            .call(Some(&self.session), method, params)
            .await
            .unwrap_or_else(|why| panic!("{method}: {why}"))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.browser.send_command(
            "Target.disposeBrowserContext",
            &json!({"browserContextId": self.context}),
        );
        assert!(
            self.ended || std::thread::panicking(),
            "the test did not ask whether something complained"
        );
    }
}

/// What an event complains of, where it does.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    let level =
        |of: &Value, levels: &[&str]| of.as_str().is_some_and(|level| levels.contains(&level));
    let complains = match event["method"].as_str()? {
        "Runtime.exceptionThrown" | "Audits.issueAdded" | "Inspector.targetCrashed" => true,
        "Runtime.consoleAPICalled" => level(&params["type"], &["error", "warning", "assert"]),
        "Log.entryAdded" => level(&params["entry"]["level"], &["error", "warning"]),
        _ => false,
    };
    complains.then(|| event.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
