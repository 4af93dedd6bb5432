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

// isFlagHeader reports whether a name in lower case is one that an application may take for that of a flag: many make one name of dashes and
// underscores.
func isFlagHeader(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	return name == allHeader || strings.HasPrefix(name, headerPrefix)
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
