"""A client of the control API that holds every answer to /openapi.json: status, content type and schema."""

import json
import re

import jsonschema

import farmlib


def _integer(_checker, value):
    """JSON Schema lets 2.0 pass as an integer; clients of typed languages do not."""
    return isinstance(value, int) and not isinstance(value, bool)


_VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _integer),
)


class Api:
    """Speaks to one farmd. `port` may be the API's or the dashboard's."""

    def __init__(self, port, token=None):
        self.port = port
        self.token = token
        self.description = self.raw("GET", "/openapi.json").json()
        self.covered = set()

    def raw(self, method, path, body=None, headers=None, **kwargs):
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return farmlib.request(self.port, method, path, body, headers, **kwargs)

    def operation(self, method, path):
        """(template, operation) of the description for a path; literal templates first."""
        path = path.partition("?")[0]
        for template in sorted(self.description["paths"], key=lambda t: t.count("{")):
            pattern = re.sub(r"\{[^}]*\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and method.lower() in self.description["paths"][template]:
                return template, self.description["paths"][template][method.lower()]
        return None, None

    def _resolve(self, node):
        while "$ref" in node:
            target = self.description
            for part in node["$ref"][2:].split("/"):
                target = target[part]
            node = target
        return node

    def check(self, method, path, response):
        """Fails unless the description has this answer."""
        template, operation = self.operation(method, path)
        assert operation is not None, f"{method} {path} is not described"
        described = operation["responses"].get(str(response.status))
        assert described is not None, f"{method} {template}: {response.status} is not described: {response.body[:300]}"
        content = self._resolve(described)["content"]
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in content, f"{method} {template} {response.status}: {kind} is not described"
        if kind.endswith("json"):
            schema = {**content[kind]["schema"], "components": self.description["components"]}
            errors = sorted(_VALIDATOR(schema).iter_errors(response.json()), key=lambda e: len(e.path))
            assert not errors, f"{method} {path}: {errors[0].message[:500]} at {list(errors[0].absolute_path)}"
        self.covered.add((method, template, response.status))

    def call(self, method, path, body=None, status=200, headers=None, **kwargs):
        """The answer, checked; JSON is parsed."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        response = self.raw(method, path, body, headers, **kwargs)
        assert response.status == status, f"{method} {path} {body}: {response.status} {response.body[:500]}"
        self.check(method, path, response)
        if status >= 400:
            problem = response.json()
            assert problem["status"] == status and problem["detail"] and problem["title"]
        return response.json() if response.headers["Content-Type"].endswith("json") else response.body.decode()

    def get(self, path, status=200, **kwargs):
        return self.call("GET", path, None, status, **kwargs)

    def post(self, path, body=None, status=200, **kwargs):
        return self.call("POST", path, body, status, **kwargs)

    def patch(self, path, body=None, status=200, **kwargs):
        return self.call("PATCH", path, body, status, **kwargs)

    def act(self, server_id, action, status=200):
        return self.post(f"/api/servers/{server_id}/action", {"action": action}, status)

    def servers(self):
        return {entry["id"]: entry for entry in self.get("/api/servers")["servers"]}
