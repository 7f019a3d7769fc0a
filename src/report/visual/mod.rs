//! Picture comparisons as one HTML file that needs nothing else: no server, no other file.
//!
//! Main function: [`pictures_html`]. Without scripts the page shows all pictures side by side.

mod embedded;
mod markup;
mod page;

pub(super) use embedded::{shot_block, shot_source};
pub(super) use markup::{data_url, escaped, script_hash};

pub use embedded::{EmbeddedShot, embedded_shots};
pub use page::{DecisionForm, PictureDecision, PictureEntry, PictureState, pictures_html};
