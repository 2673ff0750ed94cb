package sni

// Extensions that crypto/tls reads in a hello (IANA, "TLS ExtensionType Values"), each with the
// document and the shape of its data. <n> is a vector behind a length of n bytes, + means not empty.
const (
	extServerName          = 0      // RFC 6066 section 3: <2>+ of (type 1, name <2>+)
	extStatusRequest       = 5      // RFC 6066 section 8: type 1, <2>, <2>
	extSupportedGroups     = 10     // RFC 8446 section 4.2.7: <2>+ of 2
	extPointFormats        = 11     // RFC 8422 section 5.1.2: <1>+
	extSignatures          = 13     // RFC 8446 section 4.2.3: <2>+ of 2
	extALPN                = 16     // RFC 7301 section 3.1: <2>+ of <1>+
	extSCT                 = 18     // RFC 6962 section 3.3.1: nothing
	extMasterSecret        = 23     // RFC 7627 section 5.1: nothing
	extPreSharedKey        = 41     // RFC 8446 section 4.2.11: <2>+ of (<2>+, 4), <2>+ of <1>+
	extEarlyData           = 42     // RFC 8446 section 4.2.10: nothing
	extVersions            = 43     // RFC 8446 section 4.2.1: <1>+ of 2
	extCookie              = 44     // RFC 8446 section 4.2.2: <2>+
	extKeyExchangeModes    = 45     // RFC 8446 section 4.2.9: <1>
	extCertificateSignings = 50     // RFC 8446 section 4.2.3: <2>+ of 2
	extKeyShare            = 51     // RFC 8446 section 4.2.8: <2> of (2, <2>+)
	extECH                 = 0xfe0d // RFC 9849 section 5: 0, 2, 2, 1, <2>, <2>; or 1; or nothing
	extRenegotiation       = 0xff01 // RFC 5746 section 3.2: <1>
)

// parseExtension reads what matters for routing and checks the shape of the rest just as
// crypto/tls does. A hello that a node is bound to refuse is refused here, before it costs a
// node anything, and nothing that looks like one extension can hide another.
func (h *Hello) parseExtension(typ uint16, data cursor) error {
	ok := true
	switch typ {
	case extServerName:
		return h.parseServerName(data)
	case extALPN:
		ok = data.vector16((*cursor)(&h.ALPN)) && len(data) == 0 && vectors8(cursor(h.ALPN))
	case extVersions:
		ok = h.parseVersions(data)
	case extEarlyData:
		h.EarlyData = true
		ok = len(data) == 0
	case extECH:
		h.ECH = true
		ok = encryptedHello(data)
	case extSCT, extMasterSecret:
		ok = len(data) == 0
	case extSupportedGroups, extSignatures, extCertificateSignings:
		var list cursor
		ok = data.vector16(&list) && len(data) == 0 && len(list) > 0 && len(list)%2 == 0
	case extStatusRequest:
		ok = data.skip(1) && data.vector16(nil) && data.vector16(nil) && len(data) == 0
	case extPointFormats:
		var list cursor
		ok = data.vector8(&list) && len(data) == 0 && len(list) > 0
	case extCookie:
		var cookie cursor
		ok = data.vector16(&cookie) && len(data) == 0 && len(cookie) > 0
	case extKeyExchangeModes, extRenegotiation:
		ok = data.vector8(nil) && len(data) == 0
	case extKeyShare:
		ok = keyShares(data)
	case extPreSharedKey:
		ok = preSharedKeys(data)
	}
	if !ok {
		return Malformed("data of an extension")
	}
	return nil
}

// parseServerName reads the list of names. Names of other types than host_name (0) are passed over;
// none has ever been defined.
func (h *Hello) parseServerName(data cursor) error {
	var list cursor
	if !data.vector16(&list) || len(data) > 0 || len(list) == 0 {
		return Malformed("length of the server name list")
	}
	found := false
	for len(list) > 0 {
		var typ uint8
		var name cursor
		if !list.uint8(&typ) || !list.vector16(&name) || len(name) == 0 {
			return Malformed("length of a server name")
		}
		if typ != 0 {
			continue
		}
		if found {
			return Malformed("two server names")
		}
		found = true
		h.setName(name)
	}
	return nil
}

// parseVersions replaces the legacy version by the highest of the list that is one, which leaves
// out GREASE (RFC 8701).
func (h *Hello) parseVersions(data cursor) bool {
	var list cursor
	if !data.vector8(&list) || len(data) > 0 || len(list) == 0 {
		return false
	}
	var highest, version uint16
	for len(list) > 0 {
		if !list.uint16(&version) {
			return false
		}
		if version>>8 == 3 {
			highest = max(highest, version)
		}
	}
	if highest != 0 {
		h.Version = highest
	}
	return true
}

// encryptedHello checks an ECH extension, which is outer (0) or inner (1). crypto/tls takes an empty
// one and does not look behind the payload, so neither is refused here.
func encryptedHello(data cursor) bool {
	var typ uint8
	if !data.uint8(&typ) {
		return true
	}
	if typ == 1 {
		return len(data) == 0
	}
	return typ == 0 && data.skip(5) && data.vector16(nil) && data.vector16(nil)
}

func keyShares(data cursor) bool {
	var list, key cursor
	if !data.vector16(&list) || len(data) > 0 {
		return false
	}
	for len(list) > 0 {
		if !list.skip(2) || !list.vector16(&key) || len(key) == 0 {
			return false
		}
	}
	return true
}

func preSharedKeys(data cursor) bool {
	var identities, label, binders cursor
	if !data.vector16(&identities) || !data.vector16(&binders) || len(data) > 0 || len(identities) == 0 {
		return false
	}
	for len(identities) > 0 {
		if !identities.vector16(&label) || !identities.skip(4) || len(label) == 0 {
			return false
		}
	}
	return vectors8(binders)
}

// vectors8 reports whether list is one or more vectors behind lengths of one byte, none empty.
func vectors8(list cursor) bool {
	if len(list) == 0 {
		return false
	}
	var item cursor
	for len(list) > 0 {
		if !list.vector8(&item) || len(item) == 0 {
			return false
		}
	}
	return true
}
