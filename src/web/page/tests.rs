//! The page's parts as a reader meets them.
