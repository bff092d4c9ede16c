"""Keys: found and named by their service, and placeholders are left alone; none of them opens anything."""

import pytest

from filters.pii import keys

ALNUM = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1BcD4eFgH7iJkL0mNoPqRsTuVw"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2
BASE64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BASE64}\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


SECRETS = {
    "ghp_" + ALNUM[:36]: "github_token",
    f"github_pat_{ALNUM[:22]}_{(ALNUM * 2)[:59]}": "github_token",
    "glpat-" + ALNUM[:20]: "gitlab_token",
    "AKIAIOSFODNN7EXAMPLE": "aws_access_key",
    f"sk-{ALNUM[:20]}T3BlbkFJ{ALNUM[20:40]}": "openai_key",
    "sk-proj-" + ALNUM[:48]: "openai_key",
    "sk-ant-api03-" + ALNUM: "anthropic_key",
    "AIza" + ALNUM[:35]: "google_api_key",
    "GOCSPX-" + ALNUM[:28]: "google_oauth_secret",
    "xoxb-" + "123456789012-123456789012-" + ALNUM[:24]: "slack_token",
    "hooks.slack.com/services/" + "T1A2B3C4D/B1A2B3C4D/" + ALNUM[:24]: "slack_webhook",
    "sk_" + "live_" + ALNUM[:24]: "stripe_key",
    "hf_" + ALNUM[:34]: "huggingface_token",
    "npm_" + ALNUM[:36]: "npm_token",
    f"SG.{ALNUM[:22]}.{ALNUM[:43]}": "sendgrid_key",
    "SK" + HEX[:32]: "twilio_key",
    "dop_v1_" + HEX: "digitalocean_token",
    JWT: "jwt",
    PEM: "private_key",
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("frame", ["{}", "key={}", '"{}",', "Bearer {}\n", "https://x/?k={}&y", "密钥{}。"])
def test_a_key_is_found_and_named_by_its_service(found_in, secret, frame):
    assert found_in(frame.format(secret)) == [(0, secret, SECRETS[secret])]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ghp_" + "x" * 36,
            "ghp_" + ALNUM[:35],
            "AKIA" + "1" * 16,
            "AKIAIOSFODNN7EXAMPLEX",
            "xAKIAIOSFODNN7EXAMPLE",
            "sk-learn",
        ),
        *("hf_your_token_here_of_some_length_x", "SKIP_SIBLINGS", "eyJhbGciOiJIUzI1NiJ9", "-----BEGIN CERTIFICATE-----\nMIIE"),
        *(
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n" + BASE64,
            "sk-" + "a" * 48,
        ),
        *("npm_config_registry", "risk_live_" + ALNUM[:24], "-" * 80),
    ],
)
def test_placeholders_and_what_only_begins_like_a_key_are_left_alone(found_in, text):
    assert found_in(text) == []


def test_every_kind_of_key_has_a_pattern_that_matches_nothing_shorter_than_sixteen():
    assert all(keys.key(key.prefix + b"a1B2c3D4e5F6", key.prefix) is None for key in keys.KEYS)
