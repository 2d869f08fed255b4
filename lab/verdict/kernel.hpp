// The kernel itself, or an administrator through it: the finders behind the kernel/ rows of the table
// (causes_kernel.cpp).
#pragma once

#include <optional>
#include <string>

#include "verdict/cause.hpp"

namespace lab::verdict::kernel {

std::optional<Finding> find_route(const Case&);
std::optional<Finding> find_link(const Case&);
std::optional<Finding> find_address(const Case&);
std::optional<Finding> find_ipsec(const Case&);
std::optional<Finding> find_bpf(const Case&);
std::optional<Finding> find_option(const Case&);
std::optional<Finding> find_destroyed(const Case&);
std::optional<Finding> find_expired(const Case&);

// Whether a change can have to do with this connection.
bool about_any(const Case&, const evidence::Change&);
bool about_link(const Case&, const evidence::Change&);
bool about_route(const Case&, const evidence::Change&);
bool about_address(const Case&, const evidence::Change&);

std::string no_route(const Case&);
std::string no_link(const Case&);
std::string no_address(const Case&);
std::string no_ipsec(const Case&);
std::string no_bpf(const Case&);
std::string no_option(const Case&);
std::string no_destroyed(const Case&);

}  // namespace lab::verdict::kernel
