"""Whole rulesets where they are hard to follow: translated both ways, reloaded, ahead of every other chain."""

import unittest

from lab import Case, both_users

RULES = '\n[firewall]\nnft = """\n{}\n"""\n'
TALK = """summary = "A question in two parts"
timeout = "6s"
{}
[server]
{}
steps = ["accept", "recv 64", "send 'a'", "recv 64", "send 'b'", "recv 64"]
[client]
steps = ["connect{}", "send 'one'", "recv 64 timeout=500ms", "send 'two'", "recv 64 timeout=500ms", "signal over"{}]
"""
ROUTED = '[network]\ntopology = "routed"\n'
# A published port whose router translates the client as well.
PUBLISHED = """table ip nat {
  chain pre { type nat hook prerouting priority dstnat; tcp dport 9090 dnat to 198.51.100.2:8080; }
  chain post { type nat hook postrouting priority srcnat; masquerade; }
}
table ip filter {
  chain forward { type filter hook forward priority 0; ct original packets > 3 DOES; }
}"""


class WholeRulesets(Case):
    def verdict(self, name, text, rootless):
        self.write(f"{name}.toml", text)
        return self.report(0, "run", f"./{name}.toml", rootless=rootless)["verdict"]

    def published(self, name, does, rootless):
        text = TALK.format(ROUTED, 'listen = "198.51.100.2:8080"', " 198.51.100.2:9090", "")
        return self.verdict(name, text + RULES.format(PUBLISHED.replace("DOES", does)), rootless)

    @both_users
    def test_a_rule_between_two_translations_is_named_with_its_text(self, rootless):
        verdict = self.published("drops", "drop", rootless)
        self.assertEqual((verdict["cause"], verdict["status"]), ("firewall/drop", "confirmed"))
        self.assertEqual(verdict["culprit"]["text"], "ct original packets > 3 drop")
        verdict = self.published("rejects", "reject with tcp reset", rootless)
        self.assertEqual((verdict["cause"], verdict["status"]), ("firewall/reject-reset", "confirmed"))

    @both_users
    def test_a_reload_gives_the_blame_to_no_later_rule(self, rootless):
        table = ("table inet x {\n  chain c { type filter hook input priority 0;\n"
                 "    tcp dport 8080 ct original packets > 3 DOES\n  }\n}\n")
        self.write("later.nft", "flush ruleset\n" + table.replace("DOES", 'accept comment "later"'))
        text = TALK.format("", "", "", ', "wait reloaded"') + RULES.format(table.replace("DOES", 'drop comment "first"'))
        text += '[operator]\nsteps = ["wait over", "add-rules later.nft", "signal reloaded"]\n'
        verdict = self.verdict("reload", text, rootless)
        self.assertEqual((verdict["cause"], verdict["status"]), ("firewall/drop", "confirmed"))
        self.assertEqual(verdict["culprit"]["name"], "first")

    # Ahead of raw and of defragmentation, and ahead of every hook of IP.
    EARLY = (("ip", "type filter hook prerouting priority -450", "reject with tcp reset", "firewall/reject-reset"),
             ("inet", "type filter hook prerouting priority -2147483648", "drop", "firewall/drop"),
             ("netdev", "type filter hook ingress device router0 priority -500", "drop", "firewall/drop"))

    def early(self):
        for family, hook, does, cause in self.EARLY:
            rule = f"tcp dport 8080 tcp flags psh {does}"
            yield f"table {family} x {{\n  chain c {{ {hook};\n    {rule}\n  }}\n}}\n", rule, cause

    @both_users
    def test_a_rule_ahead_of_everything_is_named(self, rootless):
        for table, rule, cause in self.early():
            verdict = self.verdict("early", TALK.format(ROUTED, "", "", "") + RULES.format(table), rootless)
            self.assertEqual((verdict["cause"], verdict["status"]), (cause, "confirmed"), table)
            self.assertEqual(verdict["culprit"]["text"], rule)

    @both_users
    def test_an_ingress_chain_that_comes_later_is_named(self, rootless):
        table, rule, cause = list(self.early())[-1]
        self.write("later.nft", table)
        text = TALK.format(ROUTED, "", "", "").replace("\"send 'one'\"", "\"signal in\", \"wait loaded\", \"send 'one'\"")
        text += '[operator]\nsteps = ["wait in", "add-rules later.nft", "signal loaded"]\n'
        verdict = self.verdict("later", text, rootless)
        self.assertEqual((verdict["cause"], verdict["status"]), (cause, "confirmed"))
        self.assertEqual(verdict["culprit"]["text"], rule)

    @both_users
    def test_what_leaves_no_trace_makes_no_silent_peer_and_no_injected_reset(self, rootless):
        for table, _, cause in self.early():
            self.write("early.toml", TALK.format(ROUTED, "", "", "") + RULES.format(table))
            verdict = self.report(0, "run", "./early.toml", "--without", "nft-trace", rootless=rootless)["verdict"]
            self.assertIn((verdict["cause"], verdict["status"]),
                          ((cause, "confirmed"), (cause, "likely"), ("unknown", "unknown"), ("network/injected-reset", "likely"),
                           ("network/peer-silent", "likely")), table)


if __name__ == "__main__":
    unittest.main()
