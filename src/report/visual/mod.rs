//! Picture comparisons as one HTML file that needs nothing else: no server, no other file.
//!
//! Main function: [`pictures_html`]. Without scripts the page shows all pictures side by side.

mod markup;
mod page;

pub use page::{PictureEntry, PictureState, pictures_html};
