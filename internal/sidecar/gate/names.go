package gate

import "strings"

const (
	// headerPrefix begins the name of every header field with a flag, and allHeader is the field with all of them.
	headerPrefix = "x-flag-"
	allHeader    = "x-flags"
	// removeHeader tells Envoy which fields of the visitor's request it must not pass on.
	removeHeader = "x-envoy-auth-headers-to-remove"
)

// The bounds of answers, in bytes. Proxies refuse answers whose header is larger than a page.
const (
	maxName  = 128
	maxValue = 256
	maxTotal = 3 << 10
	// maxNames bounds the names of all flags together: those without a value are named in every answer.
	maxNames = 2 << 10
)

// HeaderName returns the name of the header field for a flag: its key in lower case, with a dash for every byte that is neither a letter nor a
// digit of ASCII, behind "x-flag-". It is cut to 128 bytes.
func HeaderName(key string) string {
	return headerPrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return '-'
		}
	}, bytewise(key[:min(len(key), maxName-len(headerPrefix))]))
}

// bytewise returns a text in which every byte that is not ASCII is a character of its own.
func bytewise(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteByte(min(text[i], 0x7f))
	}
	return b.String()
}

// isFlagHeader reports whether an application may take a name for that of a flag, in any case of its letters: many make one name of dashes and
// underscores.
func isFlagHeader[T ~string | ~[]byte](name T) bool {
	if len(name) == len(allHeader) {
		return alike(name, allHeader)
	}
	return len(name) >= len(headerPrefix) && alike(name[:len(headerPrefix)], headerPrefix)
}

// alike reports whether two names of the same length are one but for the case of letters, and for underscores in the place of dashes.
func alike[T ~string | ~[]byte](name T, lower string) bool {
	for i := range len(lower) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] && (c != '_' || lower[i] != '-') {
			return false
		}
	}
	return true
}

// isToken reports whether a name in lower case consists of what such names consist of.
func isToken(name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

// appendValue appends the name of a variant as the value of a field: every byte but letters, digits and - . _ ~ is percent-encoded (RFC 3986,
// section 2.1), so that no variant can end the field or look like two. It reports false, and appends nothing, if that is too long.
func appendValue(dst []byte, variant string) (value []byte, ok bool) {
	start := len(dst)
	for i := range len(variant) {
		c := variant[i]
		if plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
		if len(dst)-start > maxValue {
			return dst[:start], false
		}
	}
	return dst, len(dst) > start
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
