//! Port numbers as types: 0 can't be written. Nothing here opens a socket.

use std::fmt;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A TCP port, 1 to 65535.
///
/// ```
/// use devrun::Port;
///
/// assert_eq!(Port::new(0), None);
/// assert_eq!("4123".parse::<Port>().map(Port::get), Ok(4123));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// The port with this number; `None` for 0.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// Its number.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The port in the URL of a server, as it is written there.
    pub(crate) fn written_in(url: &str) -> Option<&str> {
        url.rsplit(':').next()?.split('/').next()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A number's own parser takes `+3000`, too, which no server does.
        let number = Some(text).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        number.and_then(Port::new).ok_or_else(|| "a port is a number from 1 to 65535".to_string())
    }
}

/// An inclusive range of ports, written `3000-4999`.
///
/// ```
/// use devrun::{Port, PortRange};
///
/// let range: PortRange = "4200-4299".parse()?;
/// assert!(range.contains(Port::new(4250).unwrap()));
/// assert_eq!(range.numbers().count(), 100);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// The range from `first` to `last`, both included; `None` if `last` is below `first`.
    pub fn new(first: Port, last: Port) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The numbers in the range.
    pub fn numbers(&self) -> RangeInclusive<u16> {
        self.first.get()..=self.last.get()
    }

    /// Whether the port is in the range.
    pub fn contains(&self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl Default for PortRange {
    /// 3000-4999.
    fn default() -> Self {
        Self {
            first: Port(NonZeroU16::new(3000).expect("not 0")),
            last: Port(NonZeroU16::new(4999).expect("not 0")),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').ok_or("a port range is written like 3000-4999")?;
        let (first, last) = (first.trim().parse()?, last.trim().parse()?);
        PortRange::new(first, last).ok_or_else(|| format!("the range is reversed: {last} is below {first}"))
    }
}
