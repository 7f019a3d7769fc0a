//! The words of a shell's command line, as far as people paste them.

/// The commands of a text, each as its words.
///
/// Shape: quotes, backslashes, continued lines and `$'..'` are understood; commands end with a
/// line, `;` or `&&`. Errors: what a shell would do and this does not, by its first character.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut reader =
        Reader { rest: text.chars().peekable(), commands: Vec::new(), words: Vec::new() };
    reader.read()?;
    Ok(reader.commands)
}

struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    commands: Vec<Vec<String>>,
    words: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), String> {
        let mut word: Option<String> = None;
        while let Some(c) = self.rest.next() {
            match c {
                '\'' => {
                    let quoted = self.until_quote()?;
                    word.get_or_insert_default().push_str(&quoted);
                }
                '"' => {
                    let quoted = self.in_double_quotes()?;
                    word.get_or_insert_default().push_str(&quoted);
                }
                '$' if self.rest.peek() == Some(&'\'') => {
                    self.rest.next();
                    let quoted = self.in_dollar_quotes()?;
                    word.get_or_insert_default().push_str(&quoted);
                }
                '\\' => match self.rest.next() {
                    Some('\n') | None => {}
                    Some('\r') if self.rest.peek() == Some(&'\n') => {
                        self.rest.next();
                    }
                    Some(c) => word.get_or_insert_default().push(c),
                },
                '#' if word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '\n' | ';' | '&' => {
                    self.words.extend(word.take());
                    self.end_command();
                }
                c if c.is_whitespace() => self.words.extend(word.take()),
                '|' | '<' | '>' | '`' | '(' | ')' => {
                    return Err(format!(
                        "`{c}` of the shell is not understood; quote it, or leave it out"
                    ));
                }
                '$' if self
                    .rest
                    .peek()
                    .is_some_and(|c| c.is_alphabetic() || "{(_".contains(*c)) =>
                {
                    return Err(expands());
                }
                c => word.get_or_insert_default().push(c),
            }
        }
        self.words.extend(word.take());
        self.end_command();
        Ok(())
    }

    fn end_command(&mut self) {
        if !self.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.words));
        }
    }

    fn until_quote(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err("a single quote is not closed".to_owned()),
                Some('\'') => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }

    fn in_double_quotes(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err("a double quote is not closed".to_owned()),
                Some('"') => return Ok(text),
                Some('\\') => match self.rest.next() {
                    Some('\n') => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => {}
                },
                Some('`') => return Err(expands()),
                Some('$')
                    if self
                        .rest
                        .peek()
                        .is_some_and(|c| c.is_alphabetic() || "{(_".contains(*c)) =>
                {
                    return Err(expands());
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// Source: Bash manual, "ANSI-C Quoting"; what "Copy as cURL" of browsers makes of it.
    fn in_dollar_quotes(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None => return Err("a quote is not closed".to_owned()),
                Some('\'') => return Ok(text),
                Some('\\') => match self.rest.next() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('u') => text.push(self.code(4)?),
                    Some('x') => text.push(self.code(2)?),
                    Some(c @ ('\'' | '"' | '\\' | '?' | '!')) => text.push(c),
                    Some(c) => return Err(format!("the escape `\\{c}` is not understood")),
                    None => {}
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn code(&mut self, digits_max: usize) -> Result<char, String> {
        let mut digits = String::new();
        while digits.len() < digits_max
            && let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit)
        {
            digits.push(digit);
        }
        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        code.ok_or_else(|| "an escape names no character".to_owned())
    }
}

fn expands() -> String {
    "a variable or command of the shell cannot be expanded here; write its value".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_a_shell_would_hand_over() {
        for (text, expected) in [
            ("curl -H 'a: b' x", vec![vec!["curl", "-H", "a: b", "x"]]),
            ("curl \\\n  \"a\\\"b\" ''", vec![vec!["curl", "a\"b", ""]]),
            ("curl $'it\\'s\\u0021\\n'", vec![vec!["curl", "it's!\n"]]),
            (
                "curl a; curl b && curl 'c'\n# no\ncurl d#e",
                vec![vec!["curl", "a"], vec!["curl", "b"], vec!["curl", "c"], vec!["curl", "d#e"]],
            ),
            ("curl 'a'\"b\"c", vec![vec!["curl", "abc"]]),
            ("curl '{{$x}}' \"5$\"", vec![vec!["curl", "{{$x}}", "5$"]]),
        ] {
            assert_eq!(commands(text).unwrap(), expected, "{text}");
        }
        for text in ["curl $HOME", "curl \"$(id)\"", "curl 'x", "curl a | sh", "curl `id`"] {
            assert!(commands(text).is_err(), "{text}");
        }
    }
}
