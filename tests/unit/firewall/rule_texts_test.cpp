// Rules' texts out of nft's listing, with handles.
#include "firewall/rule_texts.hpp"

#include <gtest/gtest.h>

namespace lab::firewall {
namespace {

TEST(RuleTexts, AreFoundByTableAndHandle) {
  const auto texts = parse_texts(R"(table ip filter { # handle 1
	comment "mine # handle 9"
	set s { # handle 2
		type ipv4_addr
		elements = { 10.0.0.1 }
	}

	chain input { # handle 3
		comment "a chain"
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept comment "ssh # handle 7" # handle 4
		ip saddr { 10.0.0.1, 10.0.0.2,
			   10.0.0.3 } drop # handle 5
		jump other # handle 6
	}

	chain other { # handle 8
	}
}
table inet lab { # progname lab # handle 2
	flags owner

	chain output { # handle 1
		type filter hook output priority filter; policy accept;
		tcp dport 8080 counter drop comment "x" # handle 4
	}
}
)");
  const RuleTexts expected = {{{"ip", "filter", 4}, "tcp dport 22 accept comment \"ssh # handle 7\""},
                              {{"ip", "filter", 5}, "ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 } drop"},
                              {{"ip", "filter", 6}, "jump other"},
                              {{"inet", "lab", 4}, "tcp dport 8080 counter drop comment \"x\""}};
  EXPECT_EQ(texts, expected);
}

TEST(RuleTexts, OfNothingAreNone) {
  EXPECT_TRUE(parse_texts("").empty());
  EXPECT_TRUE(parse_texts("table ip x {\n").empty());
  EXPECT_TRUE(parse_texts("\tchain\n\tchain x {\n # handle \n# handle 4x\n").empty());
}

}  // namespace
}  // namespace lab::firewall
