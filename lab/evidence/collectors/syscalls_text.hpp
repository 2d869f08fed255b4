// Arguments of system calls as strace prints them. Pure.
#pragma once

#include <string>

#include "evidence/address.hpp"
#include "evidence/collectors/kernel_raw.h"

namespace lab::evidence {

// `letter` and `index` of one argument; see syscalls_table.cpp. "" for what cannot be told.
bool has_printer(char letter);
std::string argument_text(char letter, unsigned index, const raw_call& raw);

// The path a call was given or, for execve that went well, what the task is called since; "" where it could not be
// read.
std::string path_of(const raw_call& raw);

// The internet address in a sockaddr; unknown for another family, or where too little of it was read.
Address socket_address(const unsigned char* bytes, std::size_t length);
std::string socket_address_text(const unsigned char* bytes, std::size_t length);

}  // namespace lab::evidence
