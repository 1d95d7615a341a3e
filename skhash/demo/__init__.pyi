from ._gallery import Gallery as Gallery
from ._pictures import DATA_SETS as DATA_SETS
from ._pictures import Pictures as Pictures
from ._pictures import load_data_set as load_data_set
from ._server import make_app as make_app
from ._server import serve as serve

__all__ = ["DATA_SETS", "Gallery", "Pictures", "load_data_set", "make_app", "serve"]
