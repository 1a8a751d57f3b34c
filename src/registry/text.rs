//! An argument or a path on its way into a file of JSON and back, whatever bytes it has.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use serde::{Deserialize, Serialize};

use crate::sys::files::os_string;

/// An argument or a path. In JSON a string, in which a byte that is no UTF-8 is `\xNN` and a backslash is `\\`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Text(pub(crate) OsString);

impl Text {
    /// For people.
    pub(crate) fn lossy(&self) -> Cow<'_, str> {
        self.0.to_string_lossy()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        encoded(&text.0)
    }
}

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        decoded(&text).map(Text).ok_or_else(|| format!("a backslash that leads nowhere: {text}"))
    }
}

fn encoded(text: &OsStr) -> String {
    text.as_encoded_bytes().utf8_chunks().fold(String::new(), |mut out, chunk| {
        out.push_str(&chunk.valid().replace('\\', r"\\"));
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!(r"\x{byte:02x}")));
        out
    })
}

fn decoded(text: &str) -> Option<OsString> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        rest = match after.strip_prefix('\\') {
            Some(after) => {
                bytes.push(b'\\');
                after
            }
            None => {
                let hex = after.strip_prefix('x')?;
                let digits = hex.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                &hex[2..]
            }
        };
    }
    bytes.extend(rest.as_bytes());
    Some(os_string(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_argument_survives_the_way_to_disk_and_back() {
        for bytes in [&b""[..], b"plain", br"C:\x41", b"\\", b"caf\xe9 \xff\xfe", "né\n\u{202e}".as_bytes()]
        {
            let text = Text(os_string(bytes.to_vec()));
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text, "{json}");
        }
        for wrong in [r#""\\q""#, r#""\\""#, r#""\\x4""#, r#""\\x+4""#, r#""\\xé""#] {
            assert!(serde_json::from_str::<Text>(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn every_argument_survives_and_every_text_of_others_is_refused_or_one(bytes: Vec<u8>, other in ".*|(\\\\[x\\\\]?[0-9a-f+ ]{0,3}.?){1,4}") {
            let text = Text(os_string(bytes));
            let written = String::from(text.clone());
            prop_assert_eq!(Text::try_from(written), Ok(text));
            if let Ok(read) = Text::try_from(other) {
                prop_assert_eq!(Text::try_from(String::from(read.clone())), Ok(read));
            }
        }
    }
}
