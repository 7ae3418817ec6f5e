/* Host stand-in: see shim.h. */
#include <stddef.h>
#include <string.h>
