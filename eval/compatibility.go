package eval

// Compatibility says whose strictness an environment follows. Its zero value is the default, strict mode.
type Compatibility string

// CompatibilityFlagd makes the package accept and answer exactly what the flagd daemon accepts and answers.
const CompatibilityFlagd Compatibility = "flagd"
