package backup

// AppendMessage appends the binary form of a message.
func AppendMessage(to []byte, m Message) []byte { return appendMessage(to, m) }

// Decode decodes messages.
func Decode(data []byte) Sequence {
	return func(yield func(Message, error) bool) {
		c := cursor{rest: data}
		for len(c.rest) > 0 {
			m := c.message()
			if !yield(m, c.err) || c.err != nil {
				return
			}
		}
	}
}
