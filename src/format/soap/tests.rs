//! Golden SOAP exchanges.
