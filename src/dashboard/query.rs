//! The part of a URL behind the question mark. Pure; a key that is not asked for is an error.

use std::collections::BTreeMap;

/// The values of a query whose keys are all among these, each at most once.
pub(super) fn parse(
    query: Option<&str>,
    keys: &[&'static str],
) -> Result<BTreeMap<&'static str, String>, String> {
    let mut found = BTreeMap::new();
    for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let known = keys.iter().find(|known| **known == key);
        let known =
            known.ok_or_else(|| format!("the query has no such key; it may have {}", keys.join(", ")))?;
        let value =
            decoded(value).ok_or_else(|| format!("the value of {known} is no UTF-8 in percent-encoding"))?;
        if found.insert(*known, value).is_some() {
            return Err(format!("{known} is there twice"));
        }
    }
    Ok(found)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_decoded_and_what_is_wrong_is_named() {
        let keys = ["tail", "search"];
        let parsed = parse(Some("search=a%20b+c%C3%A9&tail=5&"), &keys).unwrap();
        assert_eq!((parsed["search"].as_str(), parsed["tail"].as_str()), ("a b cé", "5"));
        assert!(parse(None, &keys).unwrap().is_empty());
        for wrong in ["x=1", "tail=%", "tail=%4", "tail=%zz", "tail=%ff", "tail=1&tail=2", "=1"] {
            assert!(parse(Some(wrong), &keys).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties())]

        #[test]
        fn any_value_comes_through_and_any_query_is_read_or_refused(value in ".*", query in "([a-z=&%+é]|%[0-9a-fA-F]{2}|tail=){0,20}") {
            let encoded = value.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
            let parsed = parse(Some(&format!("search={encoded}")), &["search"]);
            prop_assert_eq!(parsed.as_ref().map(|found| found["search"].as_str()), Ok(value.as_str()));
            if let Ok(found) = parse(Some(&query), &["tail"]) {
                prop_assert!(found.keys().all(|key| *key == "tail"));
            }
        }
    }
}
