package eval

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Bool returns the answer as a boolean. It is false for results that carry no boolean, which is a TYPE_MISMATCH unless the result is an
// error already or leaves the answer to the caller.
func (r Result) Bool() (answer, ok bool) {
	switch raw := r.Value(); string(raw) {
	case "true":
		return true, true
	case "false":
		return false, true
	default:
		return false, false
	}
}

// Text returns the answer as a string, like Bool. It allocates.
func (r Result) Text() (string, bool) {
	raw := r.Value()
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	contents, err := jsontext.AppendUnquote(nil, raw)
	return string(contents), err == nil || r.Flag.compatibility == CompatibilityFlagd
}

// Object returns the answer as the JSON text of an object, like Bool. The slice is shared and must not be modified.
func (r Result) Object() ([]byte, bool) {
	raw := r.Value()
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	return raw, true
}

// Float64 returns the answer as a 64-bit floating-point number, like Bool. It fails for a number of which digits would be lost, such as
// 9007199254740993; a fraction such as 0.1 is the number that is written so.
func (r Result) Float64() (float64, bool) {
	raw, ok := r.number()
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(alias(raw), 64)
	if err != nil {
		return 0, false
	}
	written := decimalOf(raw)
	if i, ok := written.integer(); ok && math.Abs(n) < 1<<63 && int64(n) == i {
		return n, true
	}
	var back [32]byte
	return n, written == decimalOf(strconv.AppendFloat(back[:0], n, 'e', -1, 64))
}

// Int64 returns the answer as an integer, like Bool. It fails for a number that is none: 10.0 and 1e3 are integers, 3.14 and 1e30 are
// not. With CompatibilityFlagd the fraction is cut off, as flagd does.
func (r Result) Int64() (int64, bool) {
	raw, ok := r.number()
	if !ok {
		return 0, false
	}
	if r.Flag.compatibility == CompatibilityFlagd {
		n, err := strconv.ParseFloat(alias(raw), 64)
		return int64(n), err == nil && math.Abs(n) < 1<<63
	}
	d := decimalOf(raw)
	return d.integer()
}

// number returns the answer if it is a number.
func (r Result) number() ([]byte, bool) {
	raw := r.Value()
	return raw, len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9')
}

// maxDecimalDigits is the largest number of digits that a decimal keeps: no 64-bit number needs more.
const maxDecimalDigits = 20

// decimal is a number as it is written, so that numbers can be compared digit by digit: digits without zeros at either end, times ten to
// the power of exponent. Two decimals are equal if and only if the numbers are, unless both are too long.
type decimal struct {
	negative bool
	digits   [maxDecimalDigits]byte
	length   int
	exponent int
	long     bool // it has more digits than fit
}

// decimalOf reads the literal of a JSON number.
func decimalOf(literal []byte) (d decimal) {
	point, zeros := false, 0
	for i, b := range literal {
		switch {
		case b == '-':
			d.negative = true
		case b == '.':
			point = true
			continue
		case b == 'e', b == 'E':
			// An exponent that is too large for an int is capped, and then no 64-bit number has it.
			exponent, _ := strconv.Atoi(alias(literal[i+1:]))
			d.exponent += max(min(exponent, math.MaxInt32), math.MinInt32)
			d.trim(zeros)
			return d
		case b == '0' && d.length > 0:
			zeros++
		case b == '0':
		default:
			d.push(b, zeros)
			zeros = 0
		}
		if point {
			d.exponent--
		}
	}
	d.trim(zeros)
	return d
}

// push appends zeros and another digit.
func (d *decimal) push(digit byte, zeros int) {
	if d.length+zeros >= maxDecimalDigits {
		d.long = true
		return
	}
	for range zeros {
		d.digits[d.length] = '0'
		d.length++
	}
	d.digits[d.length] = digit
	d.length++
}

// trim makes the zeros at the end part of the exponent. All zeros are one.
func (d *decimal) trim(zeros int) {
	d.exponent += zeros
	if d.length == 0 {
		*d = decimal{}
	}
}

// integer returns d if it is a 64-bit integer.
func (d *decimal) integer() (int64, bool) {
	if d.long || d.exponent < 0 || d.length+d.exponent > maxDecimalDigits {
		return 0, false
	}
	var text [1 + maxDecimalDigits]byte
	written := text[:0]
	if d.negative {
		written = append(written, '-')
	}
	written = append(written, d.digits[:d.length]...)
	for range d.exponent {
		written = append(written, '0')
	}
	if d.length == 0 {
		return 0, true
	}
	n, err := strconv.ParseInt(alias(written), 10, 64)
	return n, err == nil
}
