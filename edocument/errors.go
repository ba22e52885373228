package edocument

import "errors"

// ErrUnknownType says that nobody here knows rules for a document of this kind.
var ErrUnknownType = errors.New("no rules are known for this kind of document")
