//! XML: a strict reader with limits, XPath 1.0, and a writer.
