//! The functions of the language by name, and which file computes them.

use super::Context;
use super::value::Value;
use super::{network, numeric, text};

macro_rules! functions {
    ($($variant:ident = [$($name:literal),+] $least:literal ..= $most:literal),+ $(,)?) => {
        /// A function of values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function { $($variant),+ }

        /// Names in lower case, with the number of arguments each takes.
        const TABLE: &[(&[&str], Function, usize, usize)] =
            &[$((&[$($name),+], Function::$variant, $least, $most)),+];
    };
}

const ANY: usize = usize::MAX;

functions! {
    Abs = ["abs"] 1..=1,
    Ceil = ["ceil"] 1..=1,
    Floor = ["floor"] 1..=1,
    Sqrt = ["sqrt"] 1..=1,
    Log = ["log"] 1..=1,
    Greatest = ["greatest"] 1..=0,
    Least = ["least"] 1..=0,
    Round = ["round"] 1..=2,
    Haversine = ["haversine"] 4..=4,
    ToNumber = ["tonumber", "todouble"] 1..=1,
    ToInt = ["toint"] 1..=1,
    ToLong = ["tolong"] 1..=1,
    FromMillis = ["frommillis"] 1..=1,
    ToMillis = ["tomillis"] 1..=1,
    Now = ["now"] 0..=0,
    ParseDate = ["parsedate"] 2..=3,
    FormatDate = ["formatdate", "strftime"] 2..=3,
    QueryStartTime = ["querystarttime"] 0..=0,
    QueryEndTime = ["queryendtime"] 0..=0,
    QueryTimeRange = ["querytimerange"] 0..=0,
    IsPresent = ["ispresent"] 1..=1,
    Coalesce = ["coalesce"] 1..=0,
    If = ["if"] 3..=3,
    Case = ["case"] 2..=21,
    IsNumeric = ["isnumeric"] 1..=1,
    IsEmpty = ["isempty"] 1..=1,
    IsBlank = ["isblank"] 1..=1,
    Concat = ["concat"] 1..=0,
    LeftTrim = ["ltrim"] 1..=2,
    RightTrim = ["rtrim"] 1..=2,
    Trim = ["trim"] 1..=2,
    StrLen = ["strlen"] 1..=1,
    ToUpper = ["toupper"] 1..=1,
    ToLower = ["tolower"] 1..=1,
    SubStr = ["substr"] 2..=3,
    Replace = ["replace"] 3..=3,
    StrContains = ["strcontains"] 2..=3,
    StartsWith = ["startswith"] 2..=2,
    EndsWith = ["endswith"] 2..=2,
    Split = ["split"] 2..=2,
    UrlEncode = ["urlencode"] 1..=1,
    UrlDecode = ["urldecode"] 1..=1,
    Base64Encode = ["base64encode"] 1..=1,
    Base64Decode = ["base64decode"] 1..=1,
    HexToAscii = ["hextoascii"] 1..=1,
    HexToDec = ["hextodec"] 1..=1,
    DecToHex = ["dectohex"] 1..=1,
    Md5 = ["md5"] 1..=1,
    Sha256 = ["sha256"] 1..=1,
    JsonParse = ["jsonparse"] 1..=1,
    JsonStringify = ["jsonstringify"] 1..=1,
    JsonArraySize = ["jsonarraysize"] 1..=1,
    JsonArrayContains = ["jsonarraycontains"] 2..=2,
    IsValidIp = ["isvalidip"] 1..=1,
    IsValidIpV4 = ["isvalidipv4"] 1..=1,
    IsValidIpV6 = ["isvalidipv6"] 1..=1,
    IsIpInSubnet = ["isipinsubnet"] 2..=2,
    IsIpV4InSubnet = ["isipv4insubnet"] 2..=2,
    IsIpV6InSubnet = ["isipv6insubnet"] 2..=2,
    IpV4ToNumber = ["ipv4tonumber"] 1..=1,
    IsPrivateIp = ["isprivateip"] 1..=1,
    IsPublicIp = ["ispublicip"] 1..=1,
    IsReservedIp = ["isreservedip"] 1..=1,
}

impl Function {
    /// The function called `name`, in any case, with the least and most arguments it takes.
    pub(super) fn find(name: &str) -> Option<(Self, usize, usize)> {
        let name = name.to_ascii_lowercase();
        let found = TABLE.iter().find(|(names, ..)| names.contains(&name.as_str()))?;
        // A most of 0 below a least above it means as many as there are.
        let most = if found.3 < found.2 { ANY } else { found.3 };
        Some((found.1, found.2, most))
    }

    /// Every name, for guessing what a misspelt one was meant to be.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|(names, ..)| names.iter().copied())
    }

    /// Computes the function. What an argument cannot be read as makes the result null.
    pub(super) fn call(self, arguments: &[Value], context: &Context) -> Value {
        let argument = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
        match self {
            Self::IsPresent => Value::Boolean(!argument(0).is_null()),
            Self::Coalesce => arguments.iter().find(|v| !v.is_null()).cloned().unwrap_or_default(),
            Self::If => argument(if argument(0).truth() { 1 } else { 2 }).clone(),
            Self::Case => case(arguments),
            _ => numeric::call(self, arguments, context)
                .or_else(|| network::call(self, arguments))
                .unwrap_or_else(|| text::call(self, arguments).unwrap_or_default()),
        }
    }
}

/// Pairs of condition and value, and a default where one is left over.
fn case(arguments: &[Value]) -> Value {
    let mut pairs = arguments.chunks_exact(2);
    let chosen = pairs.find_map(|pair| match pair {
        [condition, value] if condition.truth() => Some(value.clone()),
        _ => None,
    });
    chosen.or_else(|| arguments.chunks_exact(2).remainder().first().cloned()).unwrap_or_default()
}
