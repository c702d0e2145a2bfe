//! Exact arithmetic on decimals, for `decimal` and for the operators of every language.
//!
//! It works on the digits themselves: the type's own operations drop digits that do not fit.

use rust_decimal::Decimal;

/// Returns the exact sum, if a decimal can hold it.
pub(in crate::script) fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b, scale) = aligned(a, b)?;
    decimal(a.checked_add(b)?, scale)
}

/// Returns the exact difference, if a decimal can hold it.
pub(in crate::script) fn difference(a: Decimal, b: Decimal) -> Option<Decimal> {
    sum(a, -b)
}

/// Returns the exact product, if a decimal can hold it.
pub(in crate::script) fn product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let digits = |a: Decimal, b: Decimal| {
        decimal(
            a.mantissa().checked_mul(b.mantissa())?,
            a.scale() + b.scale(),
        )
    };
    digits(a, b).or_else(|| digits(a.normalize(), b.normalize()))
}

/// Returns the quotient to 28 digits: the one operation that rounds, for hardly any quotient is exact.
pub(in crate::script) fn quotient(a: Decimal, b: Decimal) -> Option<Decimal> {
    a.checked_div(b)
}

/// Returns the exact remainder, with the sign of the first, if a decimal can hold it.
pub(in crate::script) fn remainder(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b, scale) = aligned(a, b)?;
    decimal(a.checked_rem(b)?, scale)
}

/// Returns the digits of both at the finer scale of the two.
fn aligned(a: Decimal, b: Decimal) -> Option<(i128, i128, u32)> {
    let scale = a.scale().max(b.scale());
    let digits = |number: Decimal| {
        let factor = 10_i128.checked_pow(scale - number.scale())?;
        number.mantissa().checked_mul(factor)
    };
    Some((digits(a)?, digits(b)?, scale))
}

fn decimal(digits: i128, scale: u32) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(digits, scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_round_is_refused() {
        let d = |text: &str| Decimal::from_str_exact(text).unwrap();
        let large = d("7922816251426433759354395033");
        assert_eq!(sum(d("0.10"), d("0.2")), Some(d("0.30")));
        assert_eq!(
            sum(large, d("0.01")),
            None,
            "the type itself drops the cent"
        );
        assert_eq!(difference(large, d("0.01")), None);
        assert_eq!(product(d("1.22"), d("3")), Some(d("3.66")));
        assert_eq!(product(large, d("1.01")), None);
        assert_eq!(remainder(d("7.5"), d("2")), Some(d("1.5")));
        assert_eq!(remainder(d("1"), Decimal::ZERO), None);
        assert_eq!(quotient(d("1"), d("8")), Some(d("0.125")));
    }
}
