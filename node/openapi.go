package node

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// openAPI describes the calls of the table in OpenAPI 3.1. The document names no secret and needs no token.
func (a api) openAPI(table []route) http.HandlerFunc {
	doc, err := json.Marshal(describeAPI(table))
	if err != nil {
		panic("node: the description of the interface is no JSON: " + err.Error()) // types are fixed when the program is built
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(doc)
	}
}

// object keeps JSON objects short to write.
type object = map[string]any

var pathParam = regexp.MustCompile(`\{([a-z]+)\}`)

func describeAPI(table []route) object {
	s := schemas{}
	failure := object{"description": "Refused; nothing was changed.", "content": object{"application/json": object{"schema": s.of(reflect.TypeFor[ErrorJSON]())}}}
	paths := object{}
	for _, r := range table {
		op := object{"summary": r.Summary, "operationId": operationID(r), "security": []any{object{"token": []any{}}},
			"description": "Scope of the token: " + strings.Join(r.Scopes, " or ") + "."}
		var params []any
		for _, m := range pathParam.FindAllStringSubmatch(r.Path, -1) {
			params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
		}
		for _, q := range r.Query {
			schema := s.of(reflect.TypeOf(q.Schema))
			if q.Many {
				schema = object{"type": "array", "items": schema}
			}
			params = append(params, object{"name": q.Name, "in": "query", "description": q.Doc, "schema": schema})
		}
		if params != nil {
			op["parameters"] = params
		}
		switch {
		case r.Body != nil:
			op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(r.Body))}}}
		case r.Upload != "":
			binary := object{"schema": object{}}
			op["requestBody"] = object{"required": true, "description": r.Upload, "content": object{"*/*": binary, "multipart/form-data": object{"schema": object{
				"type": "object", "properties": object{"message": s.of(reflect.TypeFor[Submission]())}, "additionalProperties": true}}}}
		}
		success := object{"description": http.StatusText(r.Status)}
		switch {
		case r.Answer != nil:
			success["content"] = object{"application/json": object{"schema": s.of(reflect.TypeOf(r.Answer))}}
		case r.Media != "":
			success["content"] = object{r.Media: object{"schema": object{}}}
		}
		op["responses"] = object{strconv.Itoa(r.Status): success, "default": failure}
		item, _ := paths[r.Path].(object)
		if item == nil {
			item = object{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = op
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Viadukt node", "version": Version, "license": object{"name": "EUPL-1.2", "identifier": "EUPL-1.2"}},
		"paths":   paths,
		"components": object{"schemas": s,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
	}
}

// operationID names a call by its method and the fixed parts of its path.
func operationID(r route) string {
	id := strings.ToLower(r.Method)
	for _, p := range strings.Split(strings.TrimPrefix(r.Path, "/api/v1/"), "/") {
		if name := strings.Trim(p, "{}"); name != "" {
			if name != p {
				name = "by" + strings.ToUpper(name[:1]) + name[1:]
			}
			id += strings.ToUpper(name[:1]) + name[1:]
		}
	}
	return id
}

// schemas are JSON schemas by the name of the Go type that they are made of.
type schemas map[string]any

func (s schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[store.State]():
		return object{"type": "string", "enum": names(store.States())}
	case reflect.TypeFor[store.Direction]():
		return object{"type": "string", "enum": []string{"in", "out"}}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Pointer:
		return object{"anyOf": []any{s.of(t.Elem()), object{"type": "null"}}}
	case reflect.Struct:
		return s.structure(t)
	}
	panic("node: no JSON schema for " + t.String())
}

func names(states []store.State) (out []string) {
	for _, st := range states {
		out = append(out, st.String())
	}
	return out
}

func (s schemas) structure(t reflect.Type) object {
	name := strings.TrimSuffix(t.Name(), "JSON")
	if t == reflect.TypeFor[apiError]() {
		name = "Refusal"
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	if s[name] != nil {
		return ref
	}
	properties, required := object{}, []string{}
	s[name] = object{} // a type may hold itself
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" || key == "" {
			continue
		}
		p := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			if _, isRef := p["$ref"]; isRef {
				p = object{"allOf": []any{p}}
			}
			p["description"] = doc
		}
		properties[key] = p
		if options != "omitempty" && t != reflect.TypeFor[Submission]() { // of a submission nothing is required
			required = append(required, key)
		}
	}
	slices.Sort(required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	s[name] = schema
	return ref
}
