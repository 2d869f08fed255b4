// A limit was hit, and the connection ended or hung for it: the finders behind the limits/ rows of the table
// (causes_limits.cpp).
#pragma once

#include <optional>
#include <string>

#include "verdict/cause.hpp"

namespace lab::verdict::limits {

std::optional<Finding> find_descriptors(const Case&);
std::optional<Finding> find_processes(const Case&);
std::optional<Finding> find_memory(const Case&);
std::optional<Finding> find_file_size(const Case&);
std::optional<Finding> find_cpu_time(const Case&);
std::optional<Finding> find_accept_queue(const Case&);
std::optional<Finding> find_receive_buffer(const Case&);

std::string no_descriptors(const Case&);
std::string no_processes(const Case&);
std::string no_memory(const Case&);
std::string no_accept_queue(const Case&);
std::string no_receive_buffer(const Case&);

}  // namespace lab::verdict::limits
