// Where a command writes: standard output, or a file that the invoking user could have made. Every failure to write
// is the kernel's own text in a KernelError, a closed pipe too: no signal ends the lab half way.
#pragma once

#include <memory>
#include <ostream>
#include <streambuf>
#include <string>

#include "system/descriptor.hpp"

namespace lab::commands {

class Output {
 public:
  static Output standard();
  // Opened now, emptied when the first byte is written. Under sudo with the rights of the user who called it: a link
  // that leads where that user can't go is not followed. Throws UsageError for a folder that isn't there.
  static Output create(const std::string& path);

  Output(Output&&) noexcept;
  Output& operator=(Output&&) noexcept;
  ~Output();  // what was not finished is dropped
  std::ostream& stream() { return *stream_; }
  const std::string& name() const { return name_; }
  void flush();
  void finish();  // flushes, and closes a file

 private:
  class Buffer;
  Output(sys::Descriptor owned, int number, std::string name);
  std::string name_;
  sys::Descriptor owned_;
  std::unique_ptr<Buffer> buffer_;
  std::unique_ptr<std::ostream> stream_;
};

}  // namespace lab::commands
