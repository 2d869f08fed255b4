// The little notations inside strings: durations, sizes, comparisons, rates, addresses. Pure; nothing when malformed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/reader.hpp"

namespace lab::scenario {

// Digits only, no sign, no space; nothing when it does not fit 64 bits.
std::optional<std::uint64_t> parse_whole(std::string_view text);
// ">1000", "<=40", "=5", "!=0", "7"
std::optional<Comparison> parse_comparison(std::string_view text);
// "10/second", "/minute", "/hour", "/day"
std::optional<Rate> parse_rate(std::string_view text);
// "10%", "150%": a share of one CPU
std::optional<double> parse_share(std::string_view text);

// A numeric address; "[::1]" is for those with a port.
std::optional<Family> family_of(std::string_view address);
// As inet_ntop(3) writes it.
std::string canonical(std::string_view address);
// "127.0.0.1:8080", "[::1]:8080", and "localhost:8080" for the loopback address of `family`
std::optional<Endpoint> parse_endpoint(std::string_view text, Family family);
// ADDRESS or ADDRESS/PREFIX
std::optional<Family> family_of_network(std::string_view text);

// Every errno and signal name the C library knows (signals with SIG and without), for hints.
const std::vector<std::string>& errno_names();
const std::vector<std::string>& signal_names();

// The bytes that a step's text stands for: \n \r \t \\ \' \" \xNN. On an unknown escape nothing, and `at` is its
// offset.
std::optional<std::string> unescape(std::string_view text, std::size_t* at = nullptr);

}  // namespace lab::scenario
