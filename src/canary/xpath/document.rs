use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use scraper::{Html, Node as HtmlNode};
use thiserror::Error;

/// BOUND: of nodes of a document; what is longer is not looked into.
const NODES_MAX: usize = 500_000;

/// BOUND: of elements inside of elements.
const DEPTH_MAX: usize = 256;

/// A tree of elements and texts. The root is node 0; nodes stand in the order of the document.
#[derive(Debug)]
pub struct Document {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: usize,
    pub(super) children: Vec<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Root,
    Element { name: String, attributes: Vec<(String, String)> },
    Text(String),
}

/// Why a body is no document.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DocumentError {
    /// It is no XML.
    #[error("the body is not XML: {reason} (byte {at})")]
    NotXml {
        /// Why not.
        reason: String,
        /// Where.
        at: u64,
    },
    /// It is too large or too deep to look into.
    #[error("the body has more than {NODES_MAX} nodes, or goes deeper than {DEPTH_MAX}")]
    TooLarge,
}

impl Document {
    /// Reads XML. Entities but the five of XML are left as they are written: none is ever loaded.
    ///
    /// Errors: it is not well-formed, or too large.
    pub fn xml(text: &str) -> Result<Self, DocumentError> {
        let mut reader = Reader::from_str(text);
        let mut builder = Builder::new();
        loop {
            let event = reader.read_event().map_err(|error| DocumentError::NotXml {
                reason: error.to_string(),
                at: reader.error_position(),
            })?;
            let ill =
                |reason: String| DocumentError::NotXml { reason, at: reader.buffer_position() };
            match event {
                Event::Start(start) => {
                    let (name, attributes) = element(&start).map_err(ill)?;
                    builder.open(name, attributes)?;
                }
                Event::Empty(start) => {
                    let (name, attributes) = element(&start).map_err(ill)?;
                    builder.open(name, attributes)?;
                    builder.close();
                }
                Event::End(_) => builder.close(),
                Event::Text(text) => builder.text(&text.xml10_content())?,
                Event::CData(text) => builder.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let name = reference.xml10_content();
                    let character = reference.resolve_char_ref().ok().flatten();
                    let known = quick_xml::escape::resolve_predefined_entity(&name);
                    match (character, known) {
                        (Some(character), _) => builder.text(&character.to_string())?,
                        (None, Some(known)) => builder.text(known)?,
                        (None, None) => builder.text(&format!("&{name};"))?,
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let document = builder.document;
        let has_root = document.nodes.iter().any(|node| matches!(node.kind, Kind::Element { .. }));
        match has_root && builder.open.len() == 1 {
            true => Ok(document),
            false => {
                let reason = if has_root { "it ends too early" } else { "it has no element" };
                Err(DocumentError::NotXml { reason: reason.to_owned(), at: text.len() as u64 })
            }
        }
    }

    /// Reads HTML as browsers do.
    ///
    /// Errors: it is too large.
    pub fn html(html: &Html) -> Result<Self, DocumentError> {
        let mut builder = Builder::new();
        // An explicit stack: pages may be nested deeper than ours is long.
        let mut left: Vec<Visit<_>> = html.tree.root().children().map(Visit::Enter).collect();
        left.reverse();
        while let Some(visit) = left.pop() {
            let node = match visit {
                Visit::Leave => {
                    builder.close();
                    continue;
                }
                Visit::Enter(node) => node,
            };
            match node.value() {
                HtmlNode::Element(element) => {
                    let attributes = element.attrs();
                    let attributes =
                        attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    builder.open(element.name().to_owned(), attributes.collect())?;
                    left.push(Visit::Leave);
                    left.extend(node.children().rev().map(Visit::Enter));
                }
                HtmlNode::Text(text) => builder.text(text)?,
                _ => {}
            }
        }
        Ok(builder.document)
    }

    pub(super) fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }
}

enum Visit<T> {
    Enter(T),
    Leave,
}

fn element(start: &BytesStart<'_>) -> Result<(String, Vec<(String, String)>), String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        // An entity that is unknown stays as it is written.
        let value = value.map_or_else(|_unknown| attribute.value.to_string(), |v| v.into_owned());
        attributes.push((attribute.key.as_ref().to_owned(), value));
    }
    Ok((start.name().as_ref().to_owned(), attributes))
}

struct Builder {
    document: Document,
    open: Vec<usize>,
}

impl Builder {
    fn new() -> Self {
        let root = Node { parent: 0, children: Vec::new(), kind: Kind::Root };
        Self { document: Document { nodes: vec![root] }, open: vec![0] }
    }

    fn push(&mut self, kind: Kind) -> Result<usize, DocumentError> {
        let at = self.document.nodes.len();
        if at >= NODES_MAX {
            return Err(DocumentError::TooLarge);
        }
        let parent = self.open.last().copied().unwrap_or(0);
        self.document.nodes.push(Node { parent, children: Vec::new(), kind });
        if let Some(parent) = self.document.nodes.get_mut(parent) {
            parent.children.push(at);
        }
        Ok(at)
    }

    fn open(
        &mut self,
        name: String,
        attributes: Vec<(String, String)>,
    ) -> Result<(), DocumentError> {
        if self.open.len() > DEPTH_MAX {
            return Err(DocumentError::TooLarge);
        }
        let at = self.push(Kind::Element { name, attributes })?;
        self.open.push(at);
        Ok(())
    }

    fn close(&mut self) {
        if self.open.len() > 1 {
            self.open.pop();
        }
    }

    /// Texts that follow each other are one node.
    fn text(&mut self, text: &str) -> Result<(), DocumentError> {
        if text.is_empty() || (self.open.len() == 1 && text.trim().is_empty()) {
            return Ok(());
        }
        let parent = self.open.last().and_then(|parent| self.document.nodes.get(*parent));
        let before = parent.and_then(|parent| parent.children.last().copied());
        let before = before.and_then(|before| self.document.nodes.get_mut(before));
        if let Some(Node { kind: Kind::Text(before), .. }) = before {
            before.push_str(text);
            return Ok(());
        }
        self.push(Kind::Text(text.to_owned())).map(drop)
    }
}
