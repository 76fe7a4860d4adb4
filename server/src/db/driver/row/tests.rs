use super::*;

/// The fields of a `numeric` as they come over the wire.
fn wire(fields: &[u16]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_be_bytes()).collect()
}

#[test]
fn a_numeric_keeps_every_digit_and_its_scale() {
    fn check(fields: &[u16], expected: Option<&str>) {
        let read = numeric(&wire(fields)).map(|decimal| decimal.to_string());
        assert_eq!(read.as_deref(), expected, "{fields:?}");
    }
    let minus_one = u16::MAX;
    check(&[0, 0, 0, 0], Some("0"));
    check(&[0, 0, 0, 2], Some("0.00"));
    check(&[1, 0, 0, 0, 7], Some("7"));
    check(&[1, 1, 0, 0, 3], Some("30000"));
    check(&[2, 1, 0, 0, 1, 2345], Some("12345"));
    check(&[2, 0, 0x4000, 2, 1, 5000], Some("-1.50"));
    check(&[1, minus_one, 0, 4, 25], Some("0.0025"));
    check(&[2, minus_one, 0, 5, 25, 1000], Some("0.00251"));
    check(&[3, 1, 0, 10, 99, 9999, 1], Some("999999.0001000000"));
    check(&[0, 0, 0xC000, 0], None);
    check(&[2, 0, 0, 0, 1], None);
    check(&[1, 0, 0, 13, 1], None);
    check(&[], None);
}
