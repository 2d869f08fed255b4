// The messages that the lab's own table is made of, put into a batch.
#pragma once

#include "firewall/batch.hpp"
#include "firewall/dump.hpp"
#include "firewall/statement.hpp"

namespace lab::firewall {

// The table with its owner flag: repeated for a table of this socket's it changes nothing, for another's it is refused.
void put_table(Batch& batch);
void put_delete_table(Batch& batch);
void put_chain(Batch& batch, const Chain& chain);
// `set_id`: the last number given to a set of this batch; counted on.
void put_set(Batch& batch, const Set& set, std::uint32_t& set_id);
void put_line(Batch& batch, const Line& line, std::uint32_t& set_id);
// More bytes than put_line() adds.
std::size_t at_most(const Line& line);

void put_delete_rule(Batch& batch, const KernelRule& rule);
void put_delete_set(Batch& batch, const std::string& name);

}  // namespace lab::firewall
