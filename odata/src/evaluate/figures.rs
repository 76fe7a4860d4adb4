//! What is reckoned of many values.

use crate::decimal::{Decimal, DECIMAL_SCALE_MAX};
use crate::error::{ODataError, Result};
use crate::value::Value;

/// A number of things.
pub(super) fn count(things: usize) -> Value {
    Value::Int(i64::try_from(things).unwrap_or(i64::MAX))
}

/// Whole numbers give a whole number, exact ones an exact one, floating point numbers one of their kind.
pub(super) fn sum(values: &[Value]) -> Result<Value> {
    let (mut exact, mut scale, mut double, mut doubles) = (0i128, 0, 0.0, false);
    for value in values {
        match value {
            Value::Int(number) => exact += i128::from(*number) * 10i128.pow(u32::from(DECIMAL_SCALE_MAX)),
            Value::Decimal(number) => {
                scale = scale.max(number.scale());
                exact += number.rescale(DECIMAL_SCALE_MAX).mantissa();
            }
            Value::Double(number) => {
                double += number;
                doubles = true;
            }
            _ => {}
        }
    }
    if values.is_empty() {
        return Ok(Value::Null);
    }
    if doubles {
        return Ok(Value::Double(double));
    }
    let total =
        Decimal::new(exact, DECIMAL_SCALE_MAX).map(|total| total.rescale(scale)).ok_or_else(overflow)?;
    let whole = values.iter().all(|value| matches!(value, Value::Int(_)));
    match i64::try_from(total.mantissa()) {
        Ok(number) if whole => Ok(Value::Int(number)),
        _ if whole => Err(overflow()),
        _ => Ok(Value::Decimal(total)),
    }
}

/// Digits after the point of an average of exact numbers.
const AVERAGE_SCALE: u8 = 10;

/// Of exact numbers a decimal, rounded half away from zero.
pub(super) fn average(sum: &Value, count: usize) -> Result<Value> {
    let count = i128::try_from(count).map_err(|_| overflow())?;
    let (mantissa, scale) = match sum {
        Value::Int(number) => (i128::from(*number), 0),
        Value::Decimal(number) => (number.mantissa(), number.scale()),
        Value::Double(number) => {
            let count: f64 = count.to_string().parse().unwrap_or(1.0);
            return Ok(Value::Double(number / count));
        }
        _ => return Ok(Value::Null),
    };
    let power = |scale: u8| 10i128.pow(u32::from(scale));
    let (over, under) = (AVERAGE_SCALE.saturating_sub(scale), scale.saturating_sub(AVERAGE_SCALE));
    let dividend = mantissa.checked_mul(power(over)).ok_or_else(overflow)?;
    let divisor = count.checked_mul(power(under)).ok_or_else(overflow)?;
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let away = if rest.abs() >= divisor - rest.abs() { dividend.signum() } else { 0 };
    Decimal::new(quotient + away, AVERAGE_SCALE).map(Value::Decimal).ok_or_else(overflow)
}

fn overflow() -> ODataError {
    ODataError::new(400, "0x80044330", "A figure of the aggregate is too large.")
}
